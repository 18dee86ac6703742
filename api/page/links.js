// The page of a mailed link: does once, when its reader says so, what the link is for.
"use strict";

const place = document.getElementById("link");
const name = place.dataset.name;
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
// Out of the address bar, and of what the browser remembers.
history.replaceState(null, "", location.pathname);

const said = document.createElement("p");
said.setAttribute("role", "status");
const form = document.createElement("form");
const button = document.createElement("button");
button.textContent = name === "verify-email" ? "This is my address" : "Set password";
let password = null;
if (name !== "verify-email") {
  password = document.createElement("input");
  Object.assign(password, { type: "password", autocomplete: "new-password", required: true, minLength: 12 });
  const label = document.createElement("label");
  label.append("Password, 12 characters at least: ", password);
  form.append(label, " ");
}
form.append(button);
place.append(form, said);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    const answer = await fetch(`/api/v1/auth/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(password ? { token, password: password.value } : { token }),
      credentials: "omit",
      cache: "no-store",
    });
    if (answer.ok) {
      form.remove();
      said.textContent = password ? "Done: you can log in with it now." : "Done: thank you.";
    } else {
      said.textContent = (await answer.json()).detail;
    }
  } catch {
    said.textContent = "The server can't be reached: try again in a moment.";
  }
  button.disabled = false;
});
