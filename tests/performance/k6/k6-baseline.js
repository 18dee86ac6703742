// The baseline load: people who log in, read lists and records, search, make contacts and move deals.
//
//   k6 run --local-ips 127.0.1.0-127.0.4.255 -e BASE_URL=http://127.0.0.1:3000 -e MODE=full tests/performance/k6/k6-baseline.js
//
// MODE is smoke (1 VU, 30 s), full (5 VU, 2 min), goal (100 requests a second, 1 min), soak (60 a second, 30 min), or
// try (1 VU, 4 s: whether this script works).
// The server keeps its rate limits: 300 requests in 15 minutes per user and per client address. So the VUs take turns.
// Each turn lasts two seconds and belongs to VUs that nobody else used, each of which logs in as a user of its own from
// an address of its own; at any moment there are exactly as many at work as the mode says. Nobody pauses between
// requests.

import http from "k6/http";
import { check, sleep } from "k6";
import exec from "k6/execution";

const BASE = __ENV.BASE_URL || "http://127.0.0.1:3000";
const MODE = __ENV.MODE || "smoke";
const TENANTS = Number(__ENV.TENANTS || 10);
const USERS = Number(__ENV.USERS_PER_TENANT || 40);
const PASSWORD = __ENV.PASSWORD;
const TURN_SECONDS = 2;
const MOST_REQUESTS = 270; // of one VU: below the limit of 300
const BULK = 5;
const CONTACTS = Number(__ENV.CONTACTS || 1000); // that every tenant has
const SYLLABLES = [..."bdfgklmnprst"].flatMap((consonant) => [..."aeiou"].map((vowel) => consonant + vowel));

function turns(vus, seconds) {
  const found = {};
  for (let turn = 0; turn < seconds / TURN_SECONDS; turn += 1) {
    found[`turn_${String(turn).padStart(3, "0")}`] = {
      executor: "constant-vus",
      vus,
      duration: `${TURN_SECONDS}s`,
      startTime: `${turn * TURN_SECONDS}s`,
      // A VU is kept for its turn until this has passed, so that no later turn gets it.
      gracefulStop: `${seconds}s`,
    };
  }
  return found;
}

function arrivals(rate, duration, vus) {
  return { arrivals: { executor: "constant-arrival-rate", rate, duration, preAllocatedVUs: vus, maxVUs: vus } };
}

const SCENARIOS = {
  try: () => turns(1, 4),
  smoke: () => turns(1, 30),
  full: () => turns(5, 120),
  goal: () => arrivals(100, "60s", 150),
  soak: () => arrivals(60, "30m", 400),
};

export const GATES = {
  "http_req_duration{kind:get}": ["p(95)<200", "p(99)<300"],
  "http_req_duration{kind:search}": ["p(95)<100"],
  "http_req_duration{kind:post}": ["p(95)<500"],
  "http_req_duration{name:/api/v1/auth/login}": ["max>0"],
  http_req_failed: ["rate<0.01"],
  checks: ["rate>0.99"],
};

// One VU that waits for each answer sends as many as its latency allows, and soak sends what it is told.
const THROUGHPUT = { full: { http_reqs: ["rate>100"] } };

export const options = {
  scenarios: SCENARIOS[MODE](),
  thresholds: { ...GATES, ...(THROUGHPUT[MODE] || {}) },
  summaryTrendStats: ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"],
  discardResponseBodies: false,
  noConnectionReuse: false,
};

let session = null; // of this VU
let sent = 0;

function ask(method, path, body, kind, wanted) {
  sent += 1;
  const answer = http.request(method, `${BASE}${path}`, body && JSON.stringify(body), parameters(path, kind));
  if (!check(answer, { [`${kind} answers ${wanted}`]: (each) => each.status === wanted }, { kind })) {
    console.warn(`${method} ${path}: ${answer.status} ${answer.body}`);
  }
  return answer;
}

function parameters(path, kind) {
  const headers = { "Content-Type": "application/json" };
  if (session) headers.Authorization = `Bearer ${session.token}`;
  return { headers, tags: { kind, name: path.replace(/\?.*/, "").replace(/[0-9a-f-]{36}/, "{id}") } };
}

function logIn() {
  const number = exec.vu.idInTest - 1;
  const tenant = number % TENANTS;
  const user = Math.floor(number / TENANTS) % USERS;
  const credentials = { tenant: `load-${tenant}`, email: `user-${user}@load-${tenant}.example`, password: PASSWORD };
  const answer = ask("POST", "/api/v1/auth/login", credentials, "post", 200);
  if (answer.status !== 200) exec.test.abort(`log-in failed: ${answer.status} ${answer.body}`);
  session = { token: answer.json("access_token"), contacts: [], deal: null, stages: [] };
}

function list() {
  const sorts = ["", "&sort=-created_at", "&status=qualified", "&owner=me"];
  const path = `/api/v1/contacts?limit=50${any(sorts)}`;
  const answer = ask("GET", path, null, "get", 200);
  session.contacts = (answer.json("items") || []).map((each) => each.id);
  const next = answer.json("next");
  if (next) ask("GET", `${path}&cursor=${encodeURIComponent(next)}`, null, "get", 200);
}

function read() {
  if (!session.contacts.length) return list();
  return ask("GET", `/api/v1/contacts/${any(session.contacts)}`, null, "get", 200);
}

function search() {
  // A first name and the beginning of a last name, as somebody types them; one in ten is misspelt.
  const number = Math.floor(Math.random() * CONTACTS);
  const [first, last] = [word(number), word(number + 7)];
  const typed = Math.random() < 0.1 ? `${first[0]}${first[2]}${first[1]}${first.slice(3)}` : first;
  ask("GET", `/api/v1/search?q=${typed}%20${last.slice(0, 4)}&types=contact`, null, "search", 200);
}

// The words that the contacts' names are made of: see word() in tests/performance/serving.py.
function word(number) {
  const rest = (number * 7919) % 216000;
  return [1, 60, 3600].map((place) => SYLLABLES[Math.floor(rest / place) % 60]).join("");
}

function health() {
  ask("GET", any(["/live", "/ready"]), null, "get", 200);
}

function makeContacts() {
  const requests = [];
  for (let each = 0; each < BULK; each += 1) {
    const address = `new-${exec.vu.idInTest}-${sent}-${each}-${Date.now()}@load.example`;
    const body = { first_name: "New", last_name: `Contact ${sent}`, emails: [{ address }] };
    requests.push(["POST", `${BASE}/api/v1/contacts`, JSON.stringify(body), parameters("/api/v1/contacts", "post")]);
  }
  sent += BULK;
  for (const answer of http.batch(requests)) {
    check(answer, { "post answers 201": (each) => each.status === 201 }, { kind: "post" });
  }
}

function moveDeal() {
  if (!session.deal) {
    const pipelines = ask("GET", "/api/v1/pipelines", null, "get", 200).json("items");
    session.stages = pipelines[0].stages.filter((each) => each.kind === "open").map((each) => each.id);
    const body = { name: `Deal of ${exec.vu.idInTest}`, amount: "1054.00", currency: "USD" };
    session.deal = ask("POST", "/api/v1/deals", body, "post", 201).json("id");
    session.at = 0;
  }
  session.at = (session.at + 1) % session.stages.length;
  const body = { stage: session.stages[session.at] };
  ask("POST", `/api/v1/deals/${session.deal}/change-stage`, body, "post", 200);
}

function any(choices) {
  return choices[Math.floor(Math.random() * choices.length)];
}

// Of a hundred actions.
const MIX = [
  [35, list],
  [25, read],
  [15, search],
  [5, health],
  [8, makeContacts],
  [12, moveDeal],
];

export default function () {
  if (!session) logIn();
  // Only a server that answers faster than its limits foresee gets a VU to the end of what it may send.
  if (sent > MOST_REQUESTS - BULK) return sleep(0.1);
  let chance = Math.random() * 100;
  for (const [weight, action] of MIX) {
    chance -= weight;
    if (chance < 0) return action();
  }
  return null;
}
