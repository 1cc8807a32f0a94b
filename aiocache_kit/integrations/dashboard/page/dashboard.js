// Asks for figures as often as there are new ones, and shows them.
//
// Rule 1: one question at a time, and none while nobody looks: a hidden or paused page asks nothing.
// Rule 2: a server that does not answer is asked again, less and less often; what is shown stays.
// Rule 3: the token is kept in this page's memory alone.

import { bearing, offerActions } from "./actions.js";
import { Chart } from "./charts.js";
import { byId, element } from "./elements.js";
import { time } from "./figures.js";
import { CHARTS, showCounters, showGroups, showLayers, showProviders, showTiles } from "./sections.js";

const SLOWEST = 30; // seconds between questions to a server that does not answer

const kept = { cursor: "", epoch: "", token: "", providers: new Map(), chosen: null, moment: null, most: 300 };
let timer;
let failures = 0;
let asking = false;

const charts = CHARTS.map((chart) => new Chart({ ...chart, choose }));
byId("charts").append(...charts.map((chart) => chart.node));

// --- asking ---------------------------------------------------------------------------------------------------------

const isPaused = () => byId("pause").getAttribute("aria-pressed") === "true";

function later(seconds) {
  clearTimeout(timer);
  if (!document.hidden && !isPaused()) timer = setTimeout(look, seconds * 1000);
}

async function look() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch(`figures?after=${encodeURIComponent(kept.cursor)}`, { headers: bearing(kept.token) });
    if (answer.status === 401) return lock(kept.token ? "The token is not right." : "");
    if (!answer.ok) throw new Error("no figures");
    const figures = await answer.json();
    failures = 0;
    byId("unlock").hidden = true;
    take(figures);
    later(figures.next + 0.02);
  } catch {
    failures += 1;
    say("lost", "the server does not answer; what is shown is old");
    later(Math.min(2 ** failures, SLOWEST));
  } finally {
    asking = false;
  }
}

function take({ epoch, cursor, providers }) {
  if (epoch !== kept.epoch) kept.providers.clear();
  const before = kept.providers;
  kept.providers = new Map(
    providers.map((provider) => {
      const points = [...(before.get(provider.name)?.points ?? []), ...provider.points].slice(-kept.most);
      return [provider.name, { ...provider, points }];
    }),
  );
  if (kept.epoch && epoch !== kept.epoch) byId("process").textContent = "Another process answers now, with figures of its own.";
  Object.assign(kept, { epoch, cursor });
  show();
}

// --- showing --------------------------------------------------------------------------------------------------------

function choose(back) {
  const points = kept.providers.get(kept.chosen)?.points ?? [];
  kept.moment = back === null ? null : (points.at(-1 - back)?.number ?? null);
  showCharts(points);
}

function showCharts(points) {
  const at = points.findIndex((point) => point.number === kept.moment);
  for (const chart of charts) chart.show(points, at < 0 ? null : points.length - 1 - at);
}

function show() {
  const all = [...kept.providers.values()];
  if (!kept.providers.has(kept.chosen)) kept.chosen = all[0]?.name ?? null;
  const provider = kept.providers.get(kept.chosen);
  byId("providers").hidden = all.length < 2;
  showProviders(byId("providers-table"), all, kept.chosen);
  const { error = null, totals = null, layers = [], groups = null, points = [], name = "" } = provider ?? {};
  document.title = byId("title").textContent = all.length === 1 && name !== "cache" ? name : "Cache";
  byId("actions-on").textContent = name;
  byId("trouble").hidden = error === null;
  byId("trouble").textContent = error === null ? "" : `${name} does not answer: ${error}`;
  for (const id of ["now", "charts", "totals"]) byId(id).hidden = totals === null;
  byId("layers").hidden = layers.length === 0;
  const heard = groups !== null && groups.hot.length + groups.slow.length > 0;
  byId("groups").hidden = !heard;
  if (heard) {
    for (const kind of ["hot", "slow"]) byId(kind).hidden = groups[kind].length === 0;
    byId("hot-since").textContent = `since ${time(groups.since)}, about`;
    showGroups(byId("hot-table"), byId("slow-table"), groups);
  }
  if (totals !== null) {
    showTiles(byId("tiles"), points.at(-1) ?? {}, totals);
    showCounters(byId("counters"), totals);
    showLayers(byId("layers-table"), layers);
    showCharts(points);
  }
  const state = isPaused() ? "paused" : "live";
  if (provider) say(state, state, provider.at === null ? "" : `as of ${time(provider.at)}`);
}

// The state is told by screen readers, so it is only written when it has changed; the time beside it is not.
function say(state, text, asOf = "") {
  byId("status").dataset.state = state;
  if (byId("state").textContent !== text) byId("state").textContent = text;
  byId("as-of").textContent = asOf;
}

// --- what viewers do ------------------------------------------------------------------------------------------------

function lock(reason) {
  clearTimeout(timer);
  byId("unlock").hidden = false;
  byId("unlock-said").textContent = reason;
  say("waiting", "a token is wanted");
  byId("read-token").focus();
}

byId("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  kept.token = byId("read-token").value;
  byId("read-token").value = "";
  look();
});

byId("providers-table").addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-provider]")?.dataset.provider;
  if (chosen === undefined) return;
  Object.assign(kept, { chosen, moment: null });
  show();
});

byId("pause").addEventListener("click", () => {
  byId("pause").setAttribute("aria-pressed", String(!isPaused()));
  if (isPaused()) {
    clearTimeout(timer);
    show();
  } else {
    look();
  }
});

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && !isPaused() && byId("unlock").hidden) look();
});

const COLOURS = "aiocache_kit colours";

function paint(colours) {
  document.documentElement.dataset.colours = colours;
  byId("theme").value = colours;
}

try {
  paint(localStorage.getItem(COLOURS) ?? "");
} catch {
  paint(""); // storing is forbidden: the choice lasts as long as the page
}

byId("theme").addEventListener("change", () => {
  paint(byId("theme").value);
  try {
    localStorage.setItem(COLOURS, byId("theme").value);
  } catch {
    // as above
  }
});

async function begin() {
  try {
    const settings = await (await fetch("settings")).json();
    kept.most = settings.keep;
    byId("process").replaceChildren("Figures of ", element("b", {}, `process ${settings.process}`), `, at most every ${settings.interval} s.`);
    if (settings.actions) offerActions(() => kept.chosen);
    if (settings.protected) lock("");
    else look();
  } catch {
    failures += 1;
    say("lost", "the server does not answer");
    setTimeout(begin, Math.min(2 ** failures, SLOWEST) * 1000);
  }
}

begin();
