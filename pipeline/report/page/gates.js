"use strict";
// Draws the facts that lie in the page. Numbers come from NumPy; only `simulate` computes a network itself.

const facts = JSON.parse(document.getElementById("facts").textContent);
const byId = (id) => document.getElementById(id);
const state = { step: 0, unit: 0, layer: 0, sort: "", zero: null, colour: "" }; // zero: {step, layer, unit}; unit null: all units
const GUTTER = 54, EDGE = 8; // pixels left and right of every strip, so that all share one time axis
const LIMITS = { input: 1, forget: 1, output: 1, update: 1, reset: 1 }; // in 0..1; all else has a sign
const SAYS = {
  input: "how much of the candidate is let in", forget: "how much of the old c is kept",
  output: "how much of tanh(c) leaves", candidate: "what the step would add", update: "how much of the old h is kept",
  reset: "how much of the past the candidate sees", h: "what the unit tells, its output", c: "what the unit stores",
};

// ------------------------------------------------------------------------------------------------------ numbers

function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (sign) => sign.charCodeAt(0));
  const view = new DataView(bytes.buffer), values = new Float32Array(bytes.length / 4);
  for (let each = 0; each < values.length; each++) values[each] = view.getFloat32(4 * each, true);
  return { values, rows: packed.shape[0], columns: packed.shape.length > 1 ? packed.shape[1] : 1 };
}

function prepare(network) {
  const layers = network.layers.map((layer) => ({
    ...layer,
    first: layer.first.map((each) => unpack(each).values),
    quantities: Object.fromEntries(Object.entries(layer.quantities).map(([name, each]) => [name, unpack(each)])),
  }));
  return {
    ...network, layers, read: network.read && unpack(network.read), outputs: network.outputs && unpack(network.outputs),
    gradients: unpack(network.gradients), weights: network.weights && network.weights.map(unpack),
  };
}

const networks = facts.networks.map(prepare);
const show = (value) => (value === null || !Number.isFinite(value) ? "–" : String(Number(value.toPrecision(4))).replace("-", "−"));
const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "−");
const sigmoid = (value) => 1 / (1 + Math.exp(-value));

function toUnits(network, step, output) {
  const offset = network.inverse[2 * step], factor = network.inverse[2 * step + 1];
  if (offset === null || factor === null) return null;
  const value = offset + factor * output;
  return network.exponential ? Math.exp(value) : value;
}

// Keras' cells from Keras' weights: the whole excerpt again, with the state set to zero before one step.
function simulate(network, zero) {
  const steps = network.times.length, resets = new Set(network.resets);
  const states = network.layers.map((layer) => layer.first.map((each) => Float64Array.from(each)));
  const found = network.layers.map((layer) => Object.fromEntries(Object.keys(layer.quantities).map(
    (name) => [name, { values: new Float32Array(steps * layer.units), rows: steps, columns: layer.units }])));
  const [kernel, bias] = network.weights.slice(-2), answers = network.text ? kernel.columns : 1; // of a series the nearest
  const outputs = new Float32Array(steps * answers), first = embeds(network) ? 1 : 0;
  for (let step = 0; step < steps; step++) {
    let inputs = inputsAt(network, step);
    network.layers.forEach((layer, number) => {
      if (resets.has(step)) states[number].forEach((each) => each.fill(0));
      if (zero && zero.step === step) states[number].forEach((each) => {
        if (zero.unit === null) each.fill(0);
        else if (zero.layer === number) each[zero.unit] = 0;
      });
      const made = advance(layer, network.weights.slice(first + 3 * number, first + 3 * number + 3), inputs, states[number]);
      for (const [name, values] of Object.entries(made)) found[number][name].values.set(values, step * layer.units);
      states[number] = layer.cell === "lstm" ? [made.h, made.c] : [made.h];
      inputs = made.h;
    });
    outputs.set(project(kernel, inputs, bias.values.subarray(0, answers), answers), step * answers);
  }
  return { layers: found, outputs };
}

// The first `width` numbers of a vector times a matrix; a single number is the place of the one in a one-hot row.
function project(matrix, vector, bias, width) {
  const sums = Float64Array.from(bias);
  const add = (value, row) => { for (let each = 0; each < width; each++) sums[each] += value * matrix.values[row * matrix.columns + each]; };
  if (typeof vector === "number") add(1, vector); else vector.forEach(add);
  return sums;
}

function advance(layer, [kernel, recurrent, bias], inputs, [h, c]) {
  const units = layer.units, width = kernel.columns;
  const outer = project(kernel, inputs, bias.values.subarray(0, width), width);
  const inner = project(recurrent, h, layer.cell === "gru" ? bias.values.subarray(width) : new Float64Array(width), width);
  const gate = (number, squash) => Float64Array.from({ length: units }, (_, unit) => squash(outer[number * units + unit] + inner[number * units + unit]));
  if (layer.cell === "simple_rnn") return { h: gate(0, Math.tanh) };
  if (layer.cell === "gru") {
    const update = gate(0, sigmoid), reset = gate(1, sigmoid);
    const candidate = reset.map((each, unit) => Math.tanh(outer[2 * units + unit] + each * inner[2 * units + unit]));
    return { update, reset, candidate, h: h.map((each, unit) => update[unit] * each + (1 - update[unit]) * candidate[unit]) };
  }
  const input = gate(0, sigmoid), forget = gate(1, sigmoid), candidate = gate(2, Math.tanh), output = gate(3, sigmoid);
  const next = c.map((each, unit) => forget[unit] * each + input[unit] * candidate[unit]);
  return { input, forget, candidate, output, h: next.map((each, unit) => output[unit] * Math.tanh(each)), c: next };
}

// ------------------------------------------------------------------------------------------------------ drawing

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const parse = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
function mix(low, high, share) {
  return `rgb(${low.map((each, at) => Math.round(each + (high[at] - each) * share)).join(",")})`;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function prepareCanvas(canvas, height) {
  const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = css("--ink");
  return { pen, width, height };
}

const places = (network, width) => (width - GUTTER - EDGE) / network.times.length;
const centre = (network, width, step) => GUTTER + (step + 0.5) * places(network, width);

function markStep(network, { pen, width, height }, top = 0) {
  pen.strokeStyle = css("--ink");
  pen.lineWidth = 1;
  pen.strokeRect(GUTTER + stepOf(network) * places(network, width), top + 0.5, Math.max(places(network, width), 2), height - top - 1);
}

const stepOf = (network) => Math.min(state.step, network.times.length - 1);
const layerOf = (network) => Math.min(state.layer, network.layers.length - 1);
const shownOf = (layer) => Object.values(layer.quantities)[0].columns;
const unitOf = (network) => Math.min(state.unit, shownOf(network.layers[layerOf(network)]) - 1);

function drawHeat(network, canvas, matrix, name, order) {
  const units = order.length, size = Math.max(5, Math.min(18, 150 / units));
  const place = prepareCanvas(canvas, Math.ceil(size * units) + 2), { pen, width } = place, step = places(network, width);
  const isGate = name in LIMITS, most = limitOf(matrix, name);
  const [low, none, high] = [isGate ? "--gate0" : "--minus", "--zero", isGate ? "--gate1" : "--plus"].map((each) => parse(css(each)));
  for (let row = 0; row < units; row++) for (let at = 0; at < matrix.rows; at++) {
    const value = matrix.values[at * matrix.columns + order[row]];
    pen.fillStyle = isGate ? mix(low, high, value) : mix(none, value < 0 ? low : high, Math.min(1, Math.abs(value) / most));
    pen.fillRect(GUTTER + at * step, 1 + row * size, step + 0.4, size + 0.4);
  }
  pen.fillStyle = css("--ink");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const every = Math.ceil(11 / size);
  for (let row = 0; row < units; row += every) pen.fillText(order[row], GUTTER - 6, 1 + (row + 0.5) * size);
  markStep(network, place);
  const chosen = order.indexOf(unitOf(network));
  pen.strokeRect(GUTTER + 0.5, 1.5 + chosen * size, width - GUTTER - EDGE, size - 1);
}

function limitOf(matrix, name) {
  if (name in LIMITS) return 1;
  if (name !== "c") return 1;
  return matrix.values.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-9);
}

// Lines over time on one axis: [{values, colour, dash, width, at}], `at` the step each value belongs to.
function drawLines(network, canvas, height, lines, low, high, parts) {
  const place = prepareCanvas(canvas, height), { pen, width } = place;
  const top = parts ? 16 : 5, bottom = height - (parts ? 18 : 5), step = places(network, width);
  const y = (value) => bottom - (value - low) / (high - low || 1) * (bottom - top);
  if (parts) drawParts(network, pen, width, top, bottom);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of [low, (low + high) / 2, high]) {
    pen.strokeStyle = css("--line");
    pen.lineWidth = 0.6;
    pen.strokeRect(GUTTER, y(value), width - GUTTER - EDGE, 0);
    pen.fillText(String(Number(value.toPrecision(parts ? 3 : 2))).replace("-", "−"), GUTTER - 6, y(value));
  }
  for (const line of lines) {
    pen.strokeStyle = css(line.colour);
    pen.lineWidth = line.width || 1.8;
    pen.setLineDash(line.dash || []);
    pen.beginPath();
    let before = null;
    line.values.forEach((value, number) => {
      const at = line.at ? line.at[number] : number;
      if (value === null || at < 0) { before = null; return; }
      const x = centre(network, width, at), follows = before !== null && at === before + 1;
      const alone = !follows && (line.values[number + 1] ?? null) === null; // a dash, or nobody would see it
      if (!follows) pen.moveTo(x - (alone ? 4 : 0.5), y(value));
      pen.lineTo(x + (alone ? 4 : 0), y(value));
      before = at;
    });
    pen.stroke();
    pen.setLineDash([]);
  }
  if (parts) {
    pen.textBaseline = "alphabetic";
    const lettered = network.text && drawLetters(network, pen, width, height);
    const count = lettered ? 0 : Math.max(2, Math.min(7, Math.floor(width / 130))), last = network.times.length - 1;
    for (let each = 0; each < count; each++) {
      const at = Math.round(each * last / (count - 1));
      pen.textAlign = each === 0 ? "left" : each === count - 1 ? "right" : "center";
      pen.fillText(network.times[at], each === 0 ? GUTTER : each === count - 1 ? width - EDGE : centre(network, width, at), height - 4);
    }
  }
  markStep(network, { pen, width, height: bottom + 2 }, top - 2);
  return { pen, width, y, step };
}

function drawParts(network, pen, width, top, bottom) {
  const step = places(network, width);
  let began = 0;
  network.parts.forEach((part, at) => {
    if (at + 1 < network.parts.length && network.parts[at + 1] === part) return;
    if (part !== "train") {
      pen.fillStyle = css("--soft");
      pen.fillRect(GUTTER + began * step, top, (at + 1 - began) * step, bottom - top);
    }
    pen.fillStyle = css("--ink");
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    if ((at + 1 - began) * step > pen.measureText(part).width + 4) pen.fillText(part, GUTTER + began * step + 2, 11);
    began = at + 1;
  });
  if (network.resets.length > 1) for (const at of network.resets) {
    pen.fillStyle = css("--line");
    pen.fillRect(GUTTER + at * step, top, 1, bottom - top);
  }
  pen.fillStyle = css("--ink");
}

const bounds = (lists) => {
  const values = lists.flat().filter((each) => each !== null);
  const low = Math.min(...values), high = Math.max(...values);
  return low < high ? [low, high] : [low - 1, high + 1];
};

// ---------------------------------------------------------------------------------------------- the cell's diagram

const near = (value) => fixed(value, 3);
function drawCell(network, svg, layer, made, step, unit) {
  svg.replaceChildren();
  const at = (name, when) => made[name].values[when * made[name].columns + unit];
  const before = (name, number) => {
    const zero = state.zero;
    if (network.resets.includes(step)) return 0;
    if (zero && zero.step === step && (zero.unit === null || (zero.unit === unit && zero.layer === layerOf(network)))) return 0;
    return step === 0 ? layer.first[number][unit] : at(name, step - 1);
  };
  const add = (tag, attributes, text) => svg.append(makeSvg(tag, attributes, text));
  const wire = (path) => add("path", { d: path, class: "wire" });
  const flow = (path, value) => add("path", { d: path, class: "gate", "stroke-width": 0.8 + 6 * Math.abs(value) });
  const box = (x, y, text) => { add("rect", { x: x - 24, y: y - 14, width: 48, height: 28, rx: 4, class: "box" }); add("text", { x, y: y + 5 }, text); };
  const node = (x, y, text) => { add("circle", { cx: x, cy: y, r: 12, class: "box" }); add("text", { x, y: y + 5 }, text); };
  const label = (x, y, name, value, id) => {
    add("text", { x, y }, name);
    add("text", { x, y: y + 16, class: "number", ...(id ? { "data-name": id } : {}) }, near(value));
  };
  add("rect", { x: 90, y: 46, width: 460, height: 214, rx: 14, class: "frame" });
  const h = before("h", 0), hNow = at("h", step);
  const inputs = layerOf(network) === 0 && network.text ? [quote(network, step)] : layerOf(network) === 0
    ? network.inputs.map((name, each) => `${name} ${near(network.read.values[step * network.read.columns + each])}`)
    : [`h of ${network.layers[layerOf(network) - 1].units} units below`];
  const told = inputs.slice(0, 2).join(", ") + (inputs.length > 2 ? `, and ${inputs.length - 2} more` : "");
  wire("M110 276 V230"); wire("M20 230 H110");
  add("text", { x: 96, y: 292, style: "text-anchor: start" }, `input${network.text ? "" : " (scaled)"}: ${told}`);
  label(45, 195, "h before", h, "h before");
  if (layer.cell === "lstm") {
    const c = before("c", 1), [i, f, g, o, cNow] = ["input", "forget", "candidate", "output", "c"].map((name) => at(name, step));
    wire("M110 230 H430"); [180, 262, 344, 430].forEach((x) => wire(`M${x} 230 V196`));
    wire("M20 84 H620"); wire("M344 168 V84"); wire("M510 84 V230 H620");
    flow("M180 168 V84", f); flow("M262 168 V136 H344", i); flow("M430 168 V156 H510", o);
    box(180, 182, "σ"); box(262, 182, "σ"); box(344, 182, "tanh"); box(430, 182, "σ"); box(510, 116, "tanh");
    node(180, 84, "×"); node(344, 136, "×"); node(344, 84, "+"); node(510, 156, "×");
    label(45, 100, "c before", c, "c before"); label(592, 50, "c", cNow, "c"); label(592, 190, "h", hNow, "h");
    label(140, 118, "forget", f, "forget"); label(236, 112, "input", i, "input"); label(400, 138, "candidate", g, "candidate");
    label(458, 118, "output", o, "output");
    add("text", { x: 255, y: 74 }, `kept ${near(f * c)}`); add("text", { x: 428, y: 74 }, `added ${near(i * g)}`);
  } else if (layer.cell === "gru") {
    const [z, r, g] = ["update", "reset", "candidate"].map((name) => at(name, step));
    wire("M110 230 H500 V196"); wire("M78 230 V84 H620"); wire("M170 230 V196"); wire("M280 230 V196"); wire("M500 168 V84"); wire("M400 230 V186 H476");
    flow("M280 168 V84", z); flow("M280 122 H500", 1 - z); flow("M170 168 V150 H400 V174", r);
    box(170, 182, "σ"); box(280, 182, "σ"); box(500, 182, "tanh"); node(280, 84, "×"); node(500, 122, "×"); node(500, 84, "+"); node(400, 186, "×");
    label(140, 122, "reset", r, "reset"); label(245, 106, "update", z, "update"); label(536, 140, "cand.", g, "candidate"); label(592, 50, "h", hNow, "h");
    add("text", { x: 390, y: 74 }, `kept ${near(z * h)}`); add("text", { x: 390, y: 114 }, `1 − update: ${near(1 - z)}`); add("text", { x: 390, y: 142 }, `added ${near((1 - z) * g)}`);
  } else {
    wire("M110 230 H320 V140 H620"); box(320, 182, "tanh"); label(592, 150, "h", hNow, "h");
  }
}

// ------------------------------------------------------------------------------------------------------ one network

function buildView(network) {
  const section = make("section", { class: "view" });
  const canvases = {}, strips = make("div");
  const strip = (key, title, says, legend) => {
    const canvas = make("canvas", { role: "img", "aria-label": title, "data-key": key });
    const box = make("div", { class: "strip" }, make("p", {}, make("strong", {}, title), make("span", {}, says), legend), canvas);
    canvases[key] = canvas;
    canvas.addEventListener("pointerdown", (event) => choose(network, canvas, key, event));
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) choose(network, canvas, key, event); });
    return box;
  };
  const legendLine = (...pairs) => make("span", { class: "legend" }, ...pairs.flatMap(([colour, text, style]) => {
    const mark = make("b");
    mark.style.borderTopColor = `var(${colour})`;
    if (style) mark.style.borderTopStyle = style;
    return [mark, text];
  }));
  const view = { network, canvases, section };
  const before = network.before ? `; ${network.before} step(s) were read before the first one shown` : "";
  section.append(make("h2", {}, network.name), make("p", { class: "about" }, network.about + before + "."));
  if (network.text) section.append(buildText(view), view.next, view.change, strip("series", facts.target, `of each token, in ${facts.unit}`,
    legendLine(["--mark", "cost"], ["--other", "cost, state zeroed", "dashed"])));
  else section.append(strip("series", facts.target, `in ${facts.unit}, and its forecast ${facts.ahead}`,
    legendLine(["--ink", "series"], ["--mark", "forecast"], ["--other", "forecast, state zeroed", "dashed"])));
  section.append(strips);
  view.rebuild = () => {
    const layer = network.layers[layerOf(network)];
    strips.replaceChildren();
    for (const [name, matrix] of Object.entries(layer.quantities)) {
      const isGate = name in LIMITS, most = limitOf(matrix, name), ramp = make("i");
      ramp.style.background = isGate ? "linear-gradient(90deg, var(--gate0), var(--gate1))" : "linear-gradient(90deg, var(--minus), var(--zero), var(--plus))";
      const legend = make("span", { class: "legend" }, isGate ? "0 shut" : fixed(-most, most < 10 ? 1 : 0), ramp, isGate ? "1 open" : fixed(most, most < 10 ? 1 : 0));
      strips.append(strip(name, isGate ? `${name} gate` : name, SAYS[name], legend));
    }
    const hidden = layer.units - shownOf(layer);
    if (hidden > 0) strips.append(make("p", { class: "hint" }, `The first ${shownOf(layer)} of ${layer.units} units are shown; python -m pipeline.look shows more.`));
  };
  view.title = make("h3");
  view.svg = makeSvg("svg", { viewBox: "0 24 640 276", class: "cell", role: "img", "aria-label": "the cell with the numbers of the step" });
  view.table = make("div", { class: "wide units" });
  section.append(view.title);
  section.append(strip("unit", "this unit", `its state along the ${network.text ? "text" : "series"}`, legendLine(["--mark", "h"], ...(network.layers[0].cell === "lstm" ? [["--ink", "c over its largest"]] : []), ["--other", "h, state zeroed", "dashed"])));
  section.append(make("div", { class: "wide" }, view.svg));
  const [moved, by] = network.text ? ["of the cost of the next token by each token up to this one", "length over the inputs, in nats"]
    : ["of the forecast after this step by each input up to it", network.inputs.length > 1 ? "length over the inputs" : "scaled output per scaled input"];
  section.append(strip("gradient", "gradient", moved, legendLine(["--mark", by])));
  section.append(make("h3", {}, "Units and what they follow"), view.table);
  return view;
}

// Begin with the unit that follows something best.
function chooseUnit(what) {
  const [layer] = networks[0].layers;
  state.sort = byId("sort").value = `follows|${layer.quantities.c ? "c" : "h"}|${what}`;
  [state.unit] = rankUnits(layer);
}

function rankUnits(layer) {
  const order = Array.from({ length: shownOf(layer) }, (_, unit) => unit);
  const [kind, name, what] = state.sort.split("|");
  const found = kind === "follows" ? (layer.follows[name] || {})[what] : kind === "share" ? (layer.saturation[name] || [])[Number(what)] : null;
  return found ? order.sort((one, other) => Math.abs(found[other]) - Math.abs(found[one])) : order;
}

function render(view) {
  const { network, canvases } = view, number = layerOf(network), layer = network.layers[number];
  const step = stepOf(network), unit = unitOf(network), order = view.order = rankUnits(layer);
  if (view.zero !== state.zero) [view.zero, view.changed] = [state.zero, state.zero && network.weights ? simulate(network, state.zero) : null];
  const changed = view.changed;
  const made = changed ? changed.layers[number] : layer.quantities;
  if (network.text) drawText(view, layer, made, unit, changed);
  else drawSeries(view, changed);
  for (const name of Object.keys(layer.quantities)) drawHeat(network, canvases[name], made[name], name, order);
  const line = (matrix, most) => Array.from({ length: matrix.rows }, (_, at) => matrix.values[at * matrix.columns + unit] / most);
  const own = (quantities, name, most = 1) => line(quantities[name], most);
  const lines = [{ values: own(layer.quantities, "h"), colour: "--mark" }];
  if (layer.quantities.c) {
    const most = own(layer.quantities, "c").reduce((top, each) => Math.max(top, Math.abs(each)), 1e-9);
    lines.push({ values: own(layer.quantities, "c", most), colour: "--ink", width: 1 });
  }
  if (changed) lines.push({ values: own(made, "h"), colour: "--other", dash: [4, 3] });
  view.title.textContent = `${layer.name}, unit ${unit}, ${network.times[step]}`;
  drawLines(network, canvases.unit, 84, lines, -1, 1, false);
  drawCell(network, view.svg, layer, made, step, unit);
  drawGradient(network, canvases.gradient, step);
  drawTable(view, layer, unit, order);
}

function drawSeries({ network, canvases }, changed) {
  const forecasts = changed ? Array.from(changed.outputs, (each, at) => (at < state.zero.step ? null : toUnits(network, at, each))) : [];
  const [low, high] = bounds([network.values, network.forecasts, forecasts]);
  drawLines(network, canvases.series, 150, [
    { values: network.values, colour: "--ink", width: 1.4 }, { values: network.forecasts, colour: "--mark", at: network.lands },
    { values: forecasts, colour: "--other", at: network.lands, dash: [4, 3] },
  ], low, high, true);
}

function drawGradient(network, canvas, step) {
  const steps = network.times.length, row = network.gradients.values.subarray(step * steps, (step + 1) * steps);
  const most = row.reduce((top, each) => Math.max(top, Math.abs(each)), 1e-9);
  const { pen, width, y, step: size } = drawLines(network, canvas, 84, [], network.text ? 0 : -most, most, false);
  pen.fillStyle = css("--mark");
  row.forEach((value, at) => {
    const end = y(value), base = y(0);
    pen.fillRect(GUTTER + at * size + size * 0.1, Math.min(end, base), Math.max(size * 0.8, 1), Math.abs(end - base));
  });
}

function drawTable(view, layer, unit, order) {
  const name = layer.quantities.c ? "c" : "h", follows = layer.follows[name], shares = Object.entries(layer.saturation);
  const heads = ["unit", ...Object.keys(follows).map((what) => `${name} follows ${what}`), ...shares.map(([gate]) => `${gate}: shut / open`)];
  const percent = (share) => `${Math.round(100 * share)} %`;
  const body = make("tbody");
  for (const each of order) {
    const cells = [String(each), ...Object.values(follows).map((list) => fixed(list[each])),
      ...shares.map(([, [shut, opened]]) => `${percent(shut[each])} / ${percent(opened[each])}`)];
    const row = make("tr", { "aria-selected": String(each === unit) }, ...cells.map((text) => make("td", {}, text)));
    row.addEventListener("click", () => { state.unit = each; update(); });
    body.append(row);
  }
  const scroll = view.table.scrollTop;
  view.table.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), body));
  view.table.scrollTop = scroll;
}

// ------------------------------------------------------------------------------------------------------ a person acts

function choose(network, canvas, key, event) {
  const box = canvas.getBoundingClientRect();
  const at = Math.floor((event.clientX - box.left - GUTTER) / places(network, box.width));
  state.step = Math.max(0, Math.min(network.times.length - 1, at));
  const view = views.find((each) => each.network === network);
  if (key in network.layers[layerOf(network)].quantities) {
    const row = Math.floor((event.clientY - box.top) / box.height * view.order.length);
    state.unit = view.order[Math.max(0, Math.min(view.order.length - 1, row))];
  }
  update();
}

function tell() {
  const network = networks[0], step = stepOf(network);
  const parts = network.text ? tellText(network, step) : [`${network.times[step]} (${network.parts[step]})`,
    `${facts.target} ${show(network.values[step])}`, `forecast ${facts.ahead} ${show(network.forecasts[step])} ${facts.unit}`];
  if (!network.text && network.lands[step] >= 0) parts.push(`came ${show(network.values[network.lands[step]])}`);
  if (state.zero) parts.push(`${state.zero.unit === null ? "the state" : `the state of unit ${state.zero.unit}`} was set to zero at ${network.times[state.zero.step]}`);
  byId("told").textContent = parts.join(" · ");
}

function update() {
  const longest = Math.max(...networks.map((each) => each.times.length));
  state.step = Math.max(0, Math.min(longest - 1, state.step));
  byId("step").value = String(state.step);
  byId("zero").value = state.zero === null ? "" : state.zero.unit === null ? "all" : "unit";
  tell();
  views.forEach(render);
}

function setZero(kind) {
  state.zero = kind === "" ? null : { step: state.step, layer: state.layer, unit: kind === "all" ? null : state.unit };
  update();
}

function moveUnit(by) {
  const order = views[0].order, place = order.indexOf(unitOf(networks[0]));
  state.unit = order[Math.max(0, Math.min(order.length - 1, place + by))];
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
  const far = event.shiftKey ? 10 : 1, last = Infinity;
  const acts = {
    ArrowLeft: () => { state.step -= far; }, ArrowRight: () => { state.step += far; },
    Home: () => { state.step = 0; }, End: () => { state.step = last; },
    ArrowUp: () => moveUnit(-1), ArrowDown: () => moveUnit(1),
    0: () => { if (networks.some((each) => each.weights)) setZero(state.zero === null ? "all" : ""); },
  };
  if (!(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
  update();
}

function fillChoices() {
  const most = networks.reduce((one, other) => (one.layers.length >= other.layers.length ? one : other));
  most.layers.forEach((layer, number) => byId("layer").append(make("option", { value: String(number) }, `${number + 1}: ${layer.name}`)));
  byId("sort").append(make("option", { value: "" }, "number"));
  const layer = most.layers[0], name = layer.quantities.c ? "c" : "h";
  for (const what of Object.keys(layer.follows[name])) byId("sort").append(make("option", { value: `follows|${name}|${what}` }, `${name} follows ${what}`));
  for (const [quantity, found] of Object.entries(layer.follows)) if (quantity in LIMITS)
    for (const what of Object.keys(found)) byId("sort").append(make("option", { value: `follows|${quantity}|${what}` }, `${quantity} gate follows ${what}`));
  for (const gate of Object.keys(layer.saturation)) ["shut", "open"].forEach((word, side) =>
    byId("sort").append(make("option", { value: `share|${gate}|${side}` }, `${gate} gate ${word} most of the time`)));
  if (byId("colour")) for (const [quantity, says] of [...Object.keys(layer.quantities).map((each) => [each, each in LIMITS ? `${each} gate` : each]),
    ["cost", "what each token cost"], ["gradient", "how much each moved the next cost"]]) byId("colour").append(make("option", { value: quantity }, says));
  if (byId("colour")) byId("colour").value = state.colour = name;
  byId("step").max = String(Math.max(...networks.map((each) => each.times.length)) - 1);
  if (!networks.some((each) => each.weights)) {
    byId("zero").disabled = true;
    byId("zero").title = "the weights of this network are too many for this page; python -m pipeline.look takes them along";
  }
}

const views = networks.map(buildView);
byId("views").append(...views.map((view) => view.section));
fillChoices();
state.step = networks[0].text ? networks[0].times.length >> 1 : Math.max(0, networks[0].parts.indexOf("test"));
if (networks[0].text) chooseUnit("line position");
views.forEach((view) => view.rebuild());
byId("step").addEventListener("input", (event) => { state.step = Number(event.target.value); update(); });
byId("back").addEventListener("click", () => { state.step -= 1; update(); });
byId("on").addEventListener("click", () => { state.step += 1; update(); });
byId("layer").addEventListener("change", (event) => { state.layer = Number(event.target.value); state.unit = 0; views.forEach((view) => view.rebuild()); update(); });
byId("sort").addEventListener("change", (event) => { state.sort = event.target.value; update(); });
if (byId("colour")) byId("colour").addEventListener("change", (event) => { state.colour = event.target.value; update(); });
byId("zero").addEventListener("change", (event) => setZero(event.target.value));
document.addEventListener("keydown", press);
window.addEventListener("resize", update);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
update();
window.look = { state, networks, simulate, update }; // for whoever wants to compute with it
