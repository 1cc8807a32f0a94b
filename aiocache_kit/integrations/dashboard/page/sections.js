// What the page shows of a provider: which figures, under which names, and in which order.

import { drawn, element, fill, renew } from "./elements.js";
import { NOTHING, bytes, count, duration, percent, rate } from "./figures.js";

const each = (name) => (point) => point[name];

export const CHARTS = [
  {
    title: "Hit rate", hint: "of all reads", top: 1, format: percent,
    lines: [{ name: "hits", of: each("hit_rate"), tone: "good" }],
  },
  {
    title: "Reads", hint: "per second", format: rate,
    lines: [
      { name: "hits", of: each("hits"), tone: "good" },
      { name: "misses", of: each("misses"), tone: "warm" },
      { name: "stale", of: each("stale_hits"), tone: "calm" },
    ],
  },
  {
    title: "Loads", hint: "per second", format: rate,
    lines: [
      { name: "loads", of: each("loads"), tone: "deep" },
      { name: "shared", of: each("coalesced"), tone: "calm" },
      { name: "failed", of: each("load_failures"), tone: "bad" },
    ],
  },
  {
    title: "Load time", hint: "of those that ended", format: duration,
    lines: [
      { name: "mean", of: each("load_time"), tone: "deep" },
      { name: "95% within about", of: each("load_time_95"), tone: "warm" },
    ],
  },
  {
    title: "Read time", hint: "of those that were timed", format: duration,
    lines: [{ name: "mean", of: each("get_time"), tone: "good" }],
  },
  {
    title: "Removals", hint: "per second", format: rate,
    lines: [
      { name: "evicted", of: each("evictions"), tone: "warm" },
      { name: "expired", of: each("expired"), tone: "calm" },
      { name: "deleted", of: each("deletes"), tone: "deep" },
    ],
  },
];

// A tile is {name, now, then}: the figure of the newest point, and what it has been since the start.
const TILES = [
  { name: "Hit rate", now: (p) => percent(p.hit_rate), then: (t) => `${percent(t.hit_rate)} since the start` },
  { name: "Reads", unit: "/s", now: (p) => rate(sum(p.hits, p.misses)), then: (t) => `${count(t.hits + t.misses)} in all` },
  { name: "Loads", unit: "/s", now: (p) => rate(p.loads), then: (t) => `${count(t.loads)} in all` },
  { name: "Load time", now: (p) => duration(p.load_time), then: (t) => `${t.loads ? duration(t.average_load_time) : NOTHING} since the start` },
  { name: "Items", now: (_, t) => items(t), then: (t) => (t.counted ? (t.size ? bytes(t.size) : "not bounded in bytes") : "not counted by this storage") },
  { name: "Errors", now: (_, t) => count(t.errors), then: (t) => `${count(t.load_failures)} failed loads` },
];

const items = (totals) => (totals.counted ? count(totals.items) : NOTHING);

const sum = (one, other) => (one === undefined ? undefined : one + other);

export function showTiles(list, point, totals) {
  const tiles = TILES.map(({ name, unit, now, then }) => {
    const figure = now(point, totals);
    const tail = unit && figure !== NOTHING ? [element("small", {}, unit)] : [];
    return element(
      "div", { class: "card tile" },
      element("dt", {}, name), element("dd", { class: "figure" }, figure, ...tail), element("dd", { class: "hint" }, then(totals)),
    );
  });
  renew(list, ...tiles);
}

// All that `Stats` has of a provider, as four columns of six at most.
const COUNTERS = [
  ["Hits", "hits", count], ["Misses", "misses", count], ["Hit rate", "hit_rate", percent], ["Stale hits", "stale_hits", count],
  ["Mean read time", "average_get_time", duration], ["Refused calls", "refused_calls", count],
  ["Loads", "loads", count], ["Failed loads", "load_failures", count], ["Shared loads", "coalesced", count],
  ["Shed loads", "shed_loads", count], ["Waiting loads", "waiting_loads", count], ["Refreshes", "refreshes", count],
  ["Mean load time", "average_load_time", duration],
  ["Items", "items", count], ["Size", "size", bytes], ["Sets", "sets", count], ["Deletes", "deletes", count],
  ["Errors", "errors", count],
  ["Evictions", "evictions", count], ["Expired", "expired", count], ["Time in loads", "load_time", duration],
  ["Reads timed", "timed_gets", count], ["Time in those", "get_time", duration],
];

const HELD = new Set(["items", "size"]); // what nobody knows is not said to be zero
const of = (totals, name, format) => (HELD.has(name) && !totals.counted ? NOTHING : format(totals[name]));

export function showCounters(list, totals) {
  const rows = COUNTERS.map(([title, name, format]) =>
    element("div", {}, element("dt", {}, title), element("dd", { "data-counter": name }, of(totals, name, format))),
  );
  renew(list, ...rows);
}

const number = (title, of) => ({ title, of, kind: "number" });

export function showProviders(table, providers, chosen) {
  const shown = (provider) => provider.points.at(-1) ?? {};
  const columns = [
    { title: "Name", of: button },
    { title: "State", of: (row) => (row.error === null ? state("good", "answers") : state("bad", "fails")) },
    number("Hit rate", (row) => percent(shown(row).hit_rate)),
    number("Reads/s", (row) => rate(sum(shown(row).hits, shown(row).misses))),
    number("Loads/s", (row) => rate(shown(row).loads)),
    number("Load time", (row) => duration(shown(row).load_time)),
    number("Evictions/s", (row) => rate(shown(row).evictions)),
    number("Items", (row) => items(row.totals ?? {})),
    number("Errors", (row) => count(row.totals?.errors)),
  ];
  fill(table, columns, providers.map((provider) => ({ ...provider, chosen: provider.name === chosen })));
}

const button = (row) =>
  element("button", { type: "button", class: "name", "aria-pressed": String(row.chosen), "data-provider": row.name }, row.name);

const state = (tone, text) => element("span", { class: "state" }, element("i", { class: `lamp ${tone}`, "aria-hidden": "true" }), text);

const HEALTH = (health) =>
  health >= 1 ? state("good", "works") : health > 0 ? state("warm", "catches up") : state("bad", "is left alone");

export function showLayers(table, layers) {
  const read = (row) => row.hits + row.misses > 0;
  const columns = [
    { title: "Name", of: (row) => element("span", { class: `deep-${Math.min(row.depth, 3)}` }, row.name) },
    { title: "State", of: (row) => HEALTH(row.health) },
    number("Hit rate", (row) => (read(row) ? percent(row.hit_rate) : NOTHING)),
    number("Hits", (row) => (read(row) ? count(row.hits) : NOTHING)),
    number("Misses", (row) => (read(row) ? count(row.misses) : NOTHING)),
    number("Items", items),
    number("Size", (row) => (row.size ? bytes(row.size) : NOTHING)),
    number("Evictions", (row) => count(row.evictions)),
    number("Errors", (row) => count(row.errors)),
    number("Share", (row) => (row.share < 1 ? percent(row.share) : NOTHING)),
    number("To make up", (row) => count(row.missed)),
  ];
  fill(table, columns, layers);
}

const hidden = (text) => element("span", { class: "unseen" }, text);

const GROUP = { title: "Group", of: (row) => row.group };

// Give each of the hot groups its reads, with a bar that is as long as its share of the reads of the hottest.
export function showGroups(hot, slow, groups) {
  const most = Math.max(...groups.hot.map((row) => row.reads), 1);
  fill(hot, [
    GROUP,
    { title: hidden("Beside others"), of: (row) => bar(row.reads / most, "good") },
    number("Reads", (row) => count(row.reads)),
    number("Hit rate", (row) => percent(row.hit_rate)),
  ], groups.hot);
  const longest = Math.max(...groups.slow.map((row) => row.load_seconds), 1e-9);
  fill(slow, [
    GROUP,
    { title: hidden("Beside others"), of: (row) => bar(row.load_seconds / longest, "deep") },
    number("Loads", (row) => count(row.loads)),
    number("Failed", (row) => count(row.load_failures)),
    number("Mean", (row) => duration(row.average_load_time)),
    number("Slowest", (row) => duration(row.slowest_load)),
  ], groups.slow);
}

const bar = (share, tone) =>
  drawn(
    "svg", { class: "share", width: 72, height: 8, "aria-hidden": "true" },
    drawn("rect", { class: "share-of", width: 72, height: 8, rx: 4 }),
    drawn("rect", { class: `share-is ${tone}`, width: Math.max(share * 72, 4).toFixed(1), height: 8, rx: 4 }),
  );
