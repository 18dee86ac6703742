// The API's own page: log in with a cookie that this script never sees, and try what the page describes.
"use strict";

const SESSION = "/api/v1/auth/browser";
const bar = document.getElementById("session");
let csrf = null;

async function ask(method, path, body) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  return fetch(path, { method, headers, body: body || undefined, credentials: "same-origin", cache: "no-store" });
}

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function showSession() {
  const answer = await ask("GET", SESSION);
  csrf = answer.ok ? (await answer.json()).csrf_token : null;
  bar.replaceChildren(csrf ? loggedIn() : logIn());
}

function loggedIn() {
  const button = made("button", { type: "button" }, "Log out");
  button.addEventListener("click", async () => {
    await ask("DELETE", SESSION);
    await showSession();
  });
  return made("p", {}, "You are logged in: every operation below can be tried. ", button);
}

function logIn() {
  const tenant = made("input", { placeholder: "tenant", autocomplete: "organization" });
  const email = made("input", { type: "email", placeholder: "e-mail address", autocomplete: "username", required: true });
  const password = made("input", {
    type: "password", placeholder: "password", autocomplete: "current-password", required: true,
  });
  const code = made("input", { placeholder: "code", autocomplete: "one-time-code", hidden: true });
  const told = made("span", {});
  const form = made("form", {}, tenant, email, password, code, made("button", {}, "Log in to try it"), told);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = {
      email: email.value, password: password.value,
      ...(tenant.value ? { tenant: tenant.value } : {}), ...(code.value ? { code: code.value } : {}),
    };
    const answer = await ask("POST", SESSION, JSON.stringify(body));
    if (answer.ok) return showSession();
    const problem = await answer.json();
    if (problem.code === "second_factor_required") code.hidden = false;
    told.textContent = problem.detail;
  });
  return form;
}

function tryIt(details) {
  const method = details.dataset.method;
  const example = details.querySelector("pre");
  const path = made("input", { className: "path", value: details.dataset.path });
  const body = example ? made("textarea", { value: example.textContent }) : null;
  const shown = made("pre", { hidden: true });
  const form = made("form", {}, path, ...(body ? [body] : []), made("button", {}, `Send ${method}`));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await ask(method, path.value, body ? body.value : null);
    const text = await answer.text();
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it is no JSON: show it as it is */ }
    shown.textContent = `${answer.status}\n${pretty}`;
    shown.hidden = false;
  });
  details.append(form, shown);
}

for (const details of document.querySelectorAll("details[data-method]")) {
  details.addEventListener("toggle", () => tryIt(details), { once: true });
}
showSession();
