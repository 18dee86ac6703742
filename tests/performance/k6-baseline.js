// The baseline load: people who log in, read lists and records, search, make contacts and move deals.
//
//   k6 run --local-ips 127.0.1.0-127.0.4.255 -e BASE_URL=http://127.0.0.1:3000 -e MODE=full tests/performance/k6-baseline.js
//
// MODE is smoke (1 VU, 30 s), full (5 VU, 2 min), goal (100 requests a second, 1 min), soak (half of that, 30 min), warm
// (5 VU, 20 s: before what is measured) or try and try-rate (a few seconds: whether this script works).
// The server keeps its rate limits: 300 requests in 15 minutes per user and per client address. So the VUs take turns
// of ten seconds, which end one after another. Each belongs to a VU that nobody else used, which logs in once, as a user
// of its own from an address of its own; at any moment there are as many at work as the mode says. Nobody sends more
// than 22 requests a second: five VUs get beyond the 100 a second of the gate, and none to its limit within its turn.

import http from "k6/http";
import { check, sleep } from "k6";
import exec from "k6/execution";

const BASE = __ENV.BASE_URL || "http://127.0.0.1:3000";
const MODE = __ENV.MODE || "smoke";
const TENANTS = Number(__ENV.TENANTS || 10);
const USERS = Number(__ENV.USERS_PER_TENANT || 40);
const PASSWORD = __ENV.PASSWORD;
const FIRST_USER = Number(__ENV.FIRST_USER || 0); // the users before were used up by an earlier run
const REQUESTS_A_SECOND = 22; // of one VU, at most
const MOST_REQUESTS = 270; // of one session: below the limit of 300
const SESSION_MS = (MODE === "try-rate" ? 0.04 : 14) * 60 * 1000; // an access token lasts for 15 minutes
const BULK = 5;
const CONTACTS = Number(__ENV.CONTACTS || 1000); // that every tenant has
const SYLLABLES = [..."bdfgklmnprst"].flatMap((consonant) => [..."aeiou"].map((vowel) => consonant + vowel));

const RATED = ["goal", "soak", "try-rate"].includes(MODE); // by the scenario, and not by the VUs themselves
const LOG_IN_SECONDS = 0.6; // between one and the next, so that hashing passwords does not fill the server

function turns(vus, seconds, each = 10) {
  const found = {};
  for (let vu = 0; vu < vus; vu += 1) {
    let end = ((vu + 1) * each) / vus; // the first turns are shorter, so that the others end one after another
    for (let start = 0; start < seconds; start = end, end += each) {
      found[`turn_${vu}_${String(start).replace(".", "_")}`] = {
        executor: "constant-vus",
        vus: 1,
        duration: `${Math.min(end, seconds) - start}s`,
        startTime: `${start}s`,
        // A VU is kept for its turn until this has passed, so that no later turn gets it.
        gracefulStop: `${seconds}s`,
      };
    }
  }
  return found;
}

// Everybody logs in first, one after another, and then actions begin at a rate, of 1.63 requests each. Without a
// graceful stop the VUs of the first scenario are free, with their sessions, for the second.
function arrivals(requests, duration, vus) {
  const rate = Math.round(requests / 1.63);
  const ready = `${Math.ceil(vus * LOG_IN_SECONDS) + 5}s`;
  return {
    ready: {
      executor: "per-vu-iterations",
      vus,
      iterations: 1,
      maxDuration: ready,
      gracefulStop: "0s",
      exec: "logInByTurns",
    },
    arrivals: {
      executor: "constant-arrival-rate",
      rate,
      duration,
      preAllocatedVUs: vus,
      maxVUs: vus,
      startTime: ready,
    },
  };
}

const SCENARIOS = {
  try: () => turns(1, 4, 2),
  warm: () => turns(5, 20),
  smoke: () => turns(1, 30),
  full: () => turns(5, 120),
  goal: () => arrivals(100, "60s", 50),
  "try-rate": () => arrivals(10, "4s", 3),
  soak: () => arrivals(50, "30m", 200),
};

export const GATES = {
  "http_req_duration{kind:get}": ["p(95)<200", "p(99)<300"],
  "http_req_duration{kind:search}": ["p(95)<100"],
  "http_req_duration{kind:post}": ["p(95)<500"],
  "http_req_duration{name:/api/v1/auth/login}": ["max>0"],
  http_req_failed: ["rate<0.01"],
  checks: ["rate>0.99"],
};

// Only full has to show what the server can bear; where the script sets the rate, the summary tells what it came to.
const RATE = RATED
  ? { "http_reqs{scenario:arrivals}": ["count>0"], "http_reqs{scenario:arrivals,kind:log-in}": ["count==0"] }
  : {};
const RENEWED = ["soak", "try-rate"].includes(MODE) ? { "http_reqs{name:/api/v1/auth/refresh}": ["count>0"] } : {};
const THROUGHPUT = MODE === "full" ? { http_reqs: ["rate>100"] } : RATE;

export const options = {
  scenarios: SCENARIOS[MODE](),
  thresholds: { ...GATES, ...THROUGHPUT, ...RENEWED },
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

export function logIn() {
  const number = FIRST_USER + exec.vu.idInTest - 1;
  const tenant = number % TENANTS;
  const user = Math.floor(number / TENANTS) % USERS;
  const credentials = { tenant: `load-${tenant}`, email: `user-${user}@load-${tenant}.example`, password: PASSWORD };
  const answer = ask("POST", "/api/v1/auth/login", credentials, RATED ? "log-in" : "post", 200);
  if (answer.status !== 200) exec.test.abort(`log-in failed: ${answer.status} ${answer.body}`);
  session = { user, contacts: [], deal: null, stages: [] };
  take(answer);
}

export function logInByTurns() {
  sleep((exec.vu.idInTest - 1) * LOG_IN_SECONDS);
  logIn();
}

// A session goes on with new tokens, as a browser's does: nobody types a password every quarter of an hour.
function refresh() {
  const answer = ask("POST", "/api/v1/auth/refresh", { refresh_token: session.refresh }, "post", 200);
  if (answer.status !== 200) exec.test.abort(`no new tokens: ${answer.status} ${answer.body}`);
  take(answer);
}

function take(answer) {
  sent = 0;
  session.since = Date.now();
  session.token = answer.json("access_token");
  session.refresh = answer.json("refresh_token");
}

function list() {
  const sorts = ["", "&sort=-created_at", "&status=qualified", "&owner=me"];
  const path = `/api/v1/contacts?limit=50${any(sorts)}`;
  const answer = ask("GET", path, null, "get", 200);
  session.contacts = answer.json("items.#.id"); // by its path: k6 would make objects of all the rest
  const next = answer.json("next");
  if (next) ask("GET", `${path}&cursor=${encodeURIComponent(next)}`, null, "get", 200);
}

function read() {
  if (!session.contacts.length) return list();
  return ask("GET", `/api/v1/contacts/${any(session.contacts)}`, null, "get", 200);
}

function search() {
  // The first name and the beginning of a last name, as somebody types them who looks for a contact of theirs; one in
  // ten is misspelt.
  const number = session.user + USERS * Math.floor((Math.random() * CONTACTS) / USERS);
  if (number >= CONTACTS) return search();
  const [first, last] = [word(number), word(number + 7)];
  const typed = Math.random() < 0.1 ? `${first[0]}${first[2]}${first[1]}${first.slice(3)}` : first;
  const path = `/api/v1/search?q=${typed}%20${last.slice(0, 4)}&types=contact`;
  const answer = ask("GET", path, null, "search", 200);
  return check(answer, { "search finds somebody": (each) => each.status === 200 && each.json("items.#") > 0 });
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

function pace() {
  const early = session.since + (sent / REQUESTS_A_SECOND) * 1000 - Date.now();
  if (early > 0) sleep(early / 1000);
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
  if (Date.now() - session.since > SESSION_MS) refresh();
  if (!RATED) pace();
  if (sent > MOST_REQUESTS - BULK) return sleep(0.1);
  let chance = Math.random() * 100;
  for (const [weight, action] of MIX) {
    chance -= weight;
    if (chance < 0) return action();
  }
  return null;
}
