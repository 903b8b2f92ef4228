"use strict";
// Asks the service for its lanes and draws one of them. Texts go in as text, never as markup: a lane may have any name.

const byId = (id) => document.getElementById(id);
const PAGE = 25, SECONDS = 2;
const view = { first: 0, number: 0, lane: null, target: null, ahead: null, at: null, recent: null, service: null };
let token = sessionStorage.getItem("token") || "";

// ---------------------------------------------------------------------------------------------------- the service

async function ask(path) {
  const answer = await fetch(path, { headers: token ? { authorization: `Bearer ${token}` } : {}, cache: "no-store" });
  if (answer.status === 401) throw new Error("token");
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

async function refresh() {
  try {
    view.service = await ask("overview");
    await askLanes();
    if (view.lane !== null) view.recent = await ask(`lanes/${encodeURIComponent(view.lane)}/recent`);
    byId("token").hidden = true;
    byId("board").hidden = false;
    showService();
    showLane();
  } catch (error) {
    const asks = error.message === "token";
    byId("token").hidden = !asks;
    if (asks) byId("board").hidden = true;
    byId("refused").textContent = asks && token ? "that is not it" : "";
    byId("about").textContent = asks ? "" : `The service does not answer (${error.message}); it is asked again.`;
  }
}

async function askLanes() {
  const asked = new URLSearchParams({ contains: byId("contains").value, first: view.first, count: PAGE });
  const found = await ask(`lanes?${asked}`);
  view.number = found.number;
  if (view.first && !found.lanes.length) { // fewer than there were
    view.first = 0;
    return askLanes();
  }
  if (view.lane === null && found.lanes.length) view.lane = (found.lanes.find((each) => each.rows) ?? found.lanes[0]).lane;
  const rows = found.lanes.map((each) => {
    const name = make("button", each.lane);
    name.addEventListener("click", () => choose(each.lane));
    const row = make("tr", cell(name), cell(each.rows.toLocaleString("en")), cell(each.last_timestamp ?? "–"));
    if (each.alarm_since !== null) row.cells[0].append(make("strong", " ⚠ alarm"));
    row.ariaCurrent = String(each.lane === view.lane);
    return row;
  });
  fill(byId("lanes").tBodies[0], rows);
  const last = view.first + found.lanes.length;
  byId("page").textContent = last ? `${view.first + 1}–${last} of ${found.number.toLocaleString("en")}` : "none";
  byId("back").disabled = view.first === 0;
  byId("on").disabled = last >= found.number;
  return undefined;
}

function choose(lane) {
  view.lane = lane;
  view.at = null;
  refresh();
}

// ------------------------------------------------------------------------------------------------------- elements

function make(tag, ...inside) {
  const found = document.createElement(tag);
  found.append(...inside);
  return found;
}

const cell = (inside) => make("td", inside);

// Only what differs is replaced, so that a button that is being clicked stays.
function fill(parent, children) {
  const same = parent.children.length === children.length
    && children.every((each, place) => each.isEqualNode(parent.children[place]));
  if (!same) parent.replaceChildren(...children);
}

const show = (value) => (value === null || value === undefined ? "–"
  : value.toLocaleString("en", { maximumSignificantDigits: 5 }).replace("-", "−"));

function offer(select, values, chosen) {
  fill(select, values.map(([value, text]) => {
    const each = make("option", text);
    each.value = value;
    return each;
  }));
  select.value = chosen;
  select.parentElement.hidden = values.length < 2;
}

// -------------------------------------------------------------------------------------------------------- service

function showService() {
  const found = view.service;
  byId("about").textContent = `Run ${found.run}, trained on ${found.dataset}.`;
  view.target = found.targets.includes(view.target) ? view.target : found.targets[0];
  view.ahead = found.horizons.includes(view.ahead) ? view.ahead : found.horizons[0];
  offer(byId("target"), found.targets.map((name) => [name, name]), view.target);
  offer(byId("ahead"), found.horizons.map((ahead) => [ahead, `${ahead} step${ahead > 1 ? "s" : ""} ahead`]), view.ahead);
  byId("levels").textContent = `${found.intervals.map((each) => `${show(100 * each.coverage)} %`).join(" and ")} intervals`;
  byId("of-band").hidden = !found.intervals.length;
  const facts = [["lanes", found.lanes], ["rows read", found.rows], ["rows sent again", found.repeated],
    ["lanes with an alarm", found.drift.lanes], ["rows with inputs never seen", found.drift.out_of_range.rows]];
  fill(byId("facts"), facts.map(([name, count]) => make("div", make("dt", name), make("dd", count.toLocaleString("en")))));
  const rejected = Object.entries(found.rejected).sort((one, other) => other[1] - one[1]);
  const rows = rejected.map(([reason, count]) => make("tr", cell(reason), cell(count.toLocaleString("en"))));
  fill(byId("rejected"), [rows.length ? make("table", make("tbody", ...rows)) : make("p", "none since the service began")]);
}

// ----------------------------------------------------------------------------------------------------------- lane

// Moments of the chart: rows that came, then what is forecast after the newest. Each {time, came, made, ends}.
function listMoments() {
  const rows = view.recent.rows, target = view.target, moments = [], places = new Map();
  for (const row of rows) {
    places.set(row.timestamp, moments.length);
    moments.push({ time: row.timestamp, came: row.actual[target], made: null, ends: [] });
  }
  const ends = (each) => view.service.intervals.map((interval) => [each[interval.low], each[interval.high]]);
  rows.forEach((row, place) => {
    const newest = place === rows.length - 1;
    for (const each of row.forecasts.filter((one) => one.target === target && (newest || one.horizon === view.ahead))) {
      const counted = place + each.horizon; // where the next timestamps have no name, or have not come
      const known = each.forecast_timestamp !== null && counted < rows.length;
      const at = places.get(each.forecast_timestamp) ?? (known ? -1 : counted);
      if (at < 0) continue; // its row was left out
      while (newest && moments.length <= at) moments.push({ time: `+${moments.length - rows.length + 1}`, came: null, made: null, ends: [] });
      if (at >= moments.length) continue; // the newest row's forecasts are shown there
      if (at >= rows.length && each.forecast_timestamp !== null) moments[at].time = each.forecast_timestamp;
      moments[at].made = each.forecast;
      moments[at].ends = each.forecast === null ? [] : ends(each);
    }
  });
  return moments;
}

function showLane() {
  byId("lane-heading").textContent = view.lane === null ? "No lane yet: one begins with its first row" : `Lane ${view.lane}`;
  if (view.recent === null || view.recent.lane !== view.lane) return;
  const moments = listMoments();
  draw(moments);
  tell(moments);
  showErrors();
}

function showErrors() {
  const found = view.recent.errors, mine = found[view.target].rmse, drift = view.recent.drift, target = view.target;
  const rows = [
    ["the network", mine.network, drift.rmse[target]],
    ["the last value repeated", mine.persistence, drift.rmse_persistence[target]],
    [`the value ${found.season} rows before`, mine.seasonal, drift.rmse_seasonal?.[target]],
    ["the network in validation and test", null, drift.rmse_before[target]],
  ];
  fill(byId("errors").tBodies[0], rows.map(([name, lately, since]) => make("tr", cell(name), cell(show(lately)), cell(show(since)))));
  const steps = `${found.horizon} step${found.horizon > 1 ? "s" : ""} ahead`;
  byId("scored").textContent = `RMSE, ${steps}. Lately: ${found[target].rows} of the newest ${view.recent.rows.length} rows; `
    + `since the training: ${drift.rows.toLocaleString("en")} rows; each time those that all of them had a forecast for.`;
  byId("alarm").textContent = drift.alarm === null ? "" : `Alarm since ${drift.alarm_since}: ${drift.alarm}.`;
  byId("alarm").hidden = drift.alarm === null;
  const outside = Object.entries(drift.out_of_range.inputs).map(([name, count]) => `${name} in ${count.toLocaleString("en")}`);
  byId("outside").textContent = outside.length ? `Outside the range of the training: ${outside.join(", ")} rows.` : "";
}

// ---------------------------------------------------------------------------------------------------------- chart

const SVG = "http://www.w3.org/2000/svg", LEFT = 58, RIGHT = 12, TOP = 10, BOTTOM = 24;

function shape(tag, attributes, text) {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  if (text !== undefined) found.textContent = text;
  return found;
}

function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function draw(moments) {
  const chart = byId("chart"), { width, height } = chart.getBoundingClientRect();
  const values = moments.flatMap((each) => [each.came, each.made, ...each.ends.flat()]).filter(Number.isFinite);
  if (!values.length || width < 100) {
    chart.replaceChildren();
    return;
  }
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = (place) => LEFT + ((width - LEFT - RIGHT) * (place + 0.5)) / moments.length;
  const y = (value) => TOP + ((height - TOP - BOTTOM) * (high - value)) / (high - low);
  const parts = [];
  for (const value of ticks(low, high)) {
    parts.push(shape("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    parts.push(shape("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, show(value)));
  }
  const every = Math.ceil(moments.length / Math.max(1, Math.floor((width - LEFT) / 110)));
  moments.forEach((each, place) => {
    if (place % every === 0) parts.push(shape("text", { x: x(place), y: height - 6, "text-anchor": "middle" }, each.time));
  });
  const levels = Math.max(0, ...moments.map((each) => each.ends.length));
  for (let level = 0; level < levels; level++) parts.push(...bands(moments, level, x, y));
  for (const name of ["came", "made"]) parts.push(line(moments, name, x, y));
  const rows = view.recent.rows.length;
  moments.forEach((each, place) => {
    const ahead = place >= rows, value = ahead ? each.made : each.came;
    if (Number.isFinite(value) && (ahead || moments.length < 60)) {
      parts.push(shape("circle", { class: ahead ? "ahead" : "point", cx: x(place), cy: y(value), r: ahead ? 3.5 : 2.2 }));
    }
  });
  if (view.at !== null && view.at < moments.length) parts.push(shape("line", { class: "now", x1: x(view.at), x2: x(view.at), y1: TOP, y2: height - BOTTOM }));
  chart.replaceChildren(...parts);
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.setAttribute("aria-label", `${view.target} of lane ${view.lane}: ${rows} rows that came, what was forecast for each, and what is forecast next`);
}

function runs(moments, has) { // stretches of neighbours that have something
  const found = [];
  moments.forEach((each, place) => {
    if (!has(each)) return;
    if (place && found.length && found.at(-1).at(-1) === place - 1) found.at(-1).push(place);
    else found.push([place]);
  });
  return found;
}

function line(moments, name, x, y) {
  const path = runs(moments, (each) => Number.isFinite(each[name]))
    .map((run) => `M${run.map((place) => `${x(place)} ${y(moments[place][name])}`).join("L")}`).join("");
  return shape("path", { class: name, d: path });
}

function bands(moments, level, x, y) {
  const half = moments.length > 1 ? (x(1) - x(0)) / 2 : 10;
  return runs(moments, (each) => each.ends[level]?.every(Number.isFinite)).map((run) => {
    const sides = (place) => (run.length > 1 ? [x(place)] : [x(place) - half, x(place) + half]); // one alone has a width, too
    const side = (end) => run.flatMap((place) => sides(place).map((at) => `${at} ${y(moments[place].ends[level][end])}`));
    return shape("path", { class: "band", d: `M${[...side(0), ...side(1).reverse()].join("L")}Z` });
  });
}

function tell(moments) {
  const each = moments[view.at ?? moments.length - 1];
  const parts = each ? [each.time] : [];
  if (each?.came !== null && each?.came !== undefined) parts.push(`came ${show(each.came)}`);
  if (each?.made !== null && each?.made !== undefined) parts.push(`forecast ${show(each.made)}`);
  each?.ends.forEach(([low, high], place) => {
    if (low !== null) parts.push(`${show(100 * view.service.intervals[place].coverage)} % from ${show(low)} to ${show(high)}`);
  });
  byId("told").textContent = parts.join(" · ");
}

// --------------------------------------------------------------------------------------------------------- events

function point(at) {
  if (view.recent === null) return;
  const moments = listMoments();
  view.at = at === null ? null : Math.min(Math.max(at, 0), moments.length - 1);
  draw(moments);
  tell(moments);
}

byId("chart").addEventListener("pointermove", (event) => {
  const box = byId("chart").getBoundingClientRect(), count = view.recent === null ? 0 : listMoments().length;
  point(Math.floor(((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)) * count));
});
byId("chart").addEventListener("pointerleave", () => point(null));
byId("chart").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (move && view.recent !== null) point((view.at ?? listMoments().length - 1) + move);
});
byId("target").addEventListener("change", (event) => { view.target = event.target.value; showLane(); });
byId("ahead").addEventListener("change", (event) => { view.ahead = Number(event.target.value); showLane(); });
byId("contains").addEventListener("input", () => { view.first = 0; refresh(); });
byId("back").addEventListener("click", () => { view.first = Math.max(0, view.first - PAGE); refresh(); });
byId("on").addEventListener("click", () => { view.first += PAGE; refresh(); });
byId("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("given").value;
  sessionStorage.setItem("token", token);
  refresh();
});
addEventListener("resize", () => { if (view.recent !== null) showLane(); });

async function keepAsking() {
  if (!document.hidden) await refresh();
  setTimeout(keepAsking, 1000 * SECONDS);
}
keepAsking();
