// Run once by the container, when its volume is empty.
const fs = require("fs");
const secret = (name) => fs.readFileSync(`/run/secrets/${name}`, "utf8").trim();

db.getSiblingDB("clientforge").createUser({
  user: "clientforge",
  pwd: secret("mongodb_app_password"),
  roles: [{ role: "readWrite", db: "clientforge" }],
});
db.getSiblingDB("clientforge").createUser({
  user: "grafana",
  pwd: secret("mongodb_grafana_password"),
  roles: [{ role: "read", db: "clientforge" }],
});
db.getSiblingDB("admin").createUser({
  user: "exporter",
  pwd: secret("mongodb_exporter_password"),
  roles: [{ role: "clusterMonitor", db: "admin" }],
});
