// What a text needs beside: its coloured tokens, the next ones with their probabilities, and their costs. Functions
// only, which gates.js calls: it runs before anything else could.

function tokenAt(network, step) {
  return network.text.vocabulary[network.text.ids[step]];
}

// What the first recurrent layer reads: numbers, or the place of the one in a one-hot row.
function inputsAt(network, step) {
  if (!network.text) return network.read.values.subarray(step * network.read.columns, (step + 1) * network.read.columns);
  const id = network.text.ids[step];
  if (!embeds(network)) return id;
  const [table] = network.weights;
  return table.values.subarray(id * table.columns, (id + 1) * table.columns);
}

function embeds(network) {
  return Boolean(network.text) && network.weights.length > 3 * network.layers.length + 2;
}

function softmaxAt(outputs, columns, step) {
  const row = Array.from(outputs.subarray(step * columns, (step + 1) * columns));
  const top = row.reduce((most, each) => Math.max(most, each), -Infinity);
  const powers = row.map((each) => Math.exp(each - top)), total = powers.reduce((sum, each) => sum + each, 0);
  return powers.map((each) => each / total);
}

// What a network expected after every step: as it was, or recomputed with a state of zero.
function readExpected(network, changed) {
  const { text } = network;
  if (!changed) return { costs: text.costs, likely: (step) => text.likely[step].map((id, at) => [id, text.probabilities[step][at]]) };
  const columns = text.vocabulary.length, chances = (step) => softmaxAt(changed.outputs, columns, step);
  return {
    costs: text.following.map((id, step) => -Math.log(Math.max(chances(step)[id], 1e-30))),
    likely: (step) => chances(step).map((chance, id) => [id, chance]).sort((one, other) => other[1] - one[1]).slice(0, text.likely[step].length),
  };
}

function buildText(view) {
  const { network } = view;
  view.tokens = network.text.ids.map((_, step) => make("span", { "data-step": step }, tokenAt(network, step)));
  for (const step of network.resets) if (network.resets.length > 1) view.tokens[step].classList.add("reset");
  view.text = make("div", { class: "text", role: "group", "aria-label": "the text, coloured" });
  for (const token of view.tokens) {
    const shown = token.textContent;
    if (shown.length > 1 && shown.startsWith("·")) view.text.append(make("wbr"));
    view.text.append(token);
    if (shown.endsWith("⏎")) view.text.append(make("br"));
    else if (shown === "·") view.text.append(make("wbr"));
  }
  view.text.addEventListener("click", (event) => {
    const token = event.target.closest("[data-step]");
    if (token) { state.step = Number(token.dataset.step); update(); }
  });
  view.says = make("span");
  view.least = make("span");
  view.most = make("span");
  view.ramp = make("i");
  view.change = make("p", { class: "hint" });
  view.next = make("div", { class: "wide next" });
  const legend = make("span", { class: "legend" }, view.least, view.ramp, view.most);
  return make("div", { class: "strip" }, make("p", {}, make("strong", {}, "text"), view.says, legend), view.text);
}

// Values of each token to colour by: [values, sort of scale, what it is]; a cost is that of the token, told a step before.
function readColours(view, layer, made, unit, expected) {
  const { network } = view, steps = network.text.ids.length;
  const name = state.colour || (made.c ? "c" : "h");
  if (name === "cost") return [[null, ...expected.costs.slice(0, steps - 1)], "amount", "what each token cost, in nats"];
  if (name === "gradient") {
    const step = stepOf(network), row = network.gradients.values.subarray(step * steps, (step + 1) * steps);
    return [Array.from(row), "amount", "how much each token moved the cost of the next one"];
  }
  const { values, columns } = made[name], own = Array.from({ length: steps }, (_, at) => values[at * columns + unit]);
  const signed = own.some((each) => each < 0) && own.some((each) => each > 0);
  return [own, name in LIMITS ? "gate" : signed ? "signed" : "range", `${name}${name in LIMITS ? " gate" : ""} of unit ${unit} in ${layer.name} after each token`];
}

function colourText(view, layer, made, unit, expected) {
  const [values, kind, says] = readColours(view, layer, made, unit, expected), now = stepOf(view.network);
  const [least, most] = limitsOf(values, kind);
  const ends = { gate: ["--gate0", "--gate1"], range: ["--gate0", "--gate1"], signed: ["--minus", "--plus"], amount: ["--zero", "--plus"] }[kind];
  const [low, none, high] = [ends[0], "--zero", ends[1]].map((each) => parse(css(each)));
  values.forEach((value, step) => {
    const colour = kind === "signed" ? blend(none, value < 0 ? low : high, Math.abs(value) / most) : blend(low, high, ((value || 0) - least) / (most - least));
    const token = view.tokens[step];
    token.style.background = `rgb(${colour.join(",")})`;
    token.style.color = isDark(colour) ? "#ffffff" : "#1a1a1a";
    token.classList.toggle("now", step === now);
  });
  view.says.textContent = says;
  view.least.textContent = kind === "gate" ? "0 shut" : kind === "amount" ? "0" : fixed(least);
  view.most.textContent = kind === "gate" ? "1 open" : fixed(most);
  view.ramp.style.background = `linear-gradient(90deg, var(${ends[0]}), ${kind === "signed" ? "var(--zero), " : ""}var(${ends[1]}))`;
  const token = view.tokens[now], room = view.text;
  if (token.offsetTop < room.scrollTop || token.offsetTop + token.offsetHeight > room.scrollTop + room.clientHeight) room.scrollTop = token.offsetTop - room.clientHeight / 2;
}

// Ends of the scale: those of a gate are known; what has one sign is drawn from its lowest to its highest value.
function limitsOf(values, kind) {
  if (kind === "gate") return [0, 1];
  const most = values.reduce((top, each) => Math.max(top, Math.abs(each || 0)), 1e-9);
  if (kind !== "range") return [kind === "amount" ? 0 : -most, most];
  const least = Math.min(...values), top = Math.max(...values);
  return [least, Math.max(top, least + 1e-9)];
}

function blend(low, high, share) {
  return low.map((each, at) => Math.round(each + (high[at] - each) * share));
}

function isDark([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

function drawText(view, layer, made, unit, changed) {
  const { network, canvases } = view, as = readExpected(network, null), zeroed = changed && readExpected(network, changed);
  const lands = as.costs.map((_, step) => (step + 1 < as.costs.length ? step + 1 : -1));
  const late = zeroed ? zeroed.costs.map((cost, step) => (step < state.zero.step ? null : cost)) : [];
  const high = [...as.costs, ...late].reduce((top, each) => Math.max(top, each || 0), 1);
  colourText(view, layer, made, unit, zeroed || as);
  drawLines(network, canvases.series, 110, [
    { values: as.costs, colour: "--mark", at: lands }, { values: late, colour: "--other", at: lands, dash: [4, 3] },
  ], 0, high, true);
  listNext(view, as, zeroed);
  view.change.textContent = zeroed ? tellChange(network, as, zeroed) : "";
}

// How much more the tokens cost after the state was zero, and from where on that makes no difference.
function tellChange(network, as, zeroed) {
  const more = as.costs.map((cost, step) => (step < state.zero.step ? 0 : zeroed.costs[step] - cost));
  const last = more.reduce((found, each, step) => (Math.abs(each) > 0.05 ? step : found), -1);
  if (last < 0) return "With the state zeroed each token costs the same, to 0.05 nats.";
  const count = last + 1 - state.zero.step, sum = more.reduce((total, each) => total + each, 0);
  const until = last + 1 < more.length ? "; from there on each costs the same, to 0.05 nats" : "";
  return `With the state zeroed the next ${count} token(s) cost ${fixed(Math.abs(sum))} nats ${sum < 0 ? "less" : "more"} in all${until}.`;
}

function listNext(view, as, zeroed) {
  const { network } = view, step = stepOf(network), came = network.text.following[step];
  const column = (expected, title) => {
    const likely = expected.likely(step), body = make("tbody"), cost = expected.costs[step];
    if (!likely.some(([id]) => id === came)) likely.push([came, Math.exp(-cost)]);
    for (const [id, chance] of likely) {
      const bar = make("i");
      bar.style.width = `${Math.round(1000 * chance) / 10}%`;
      const row = make("tr", { "aria-selected": String(id === came) }, make("td", {}, network.text.vocabulary[id]),
        make("td", {}, bar), make("td", {}, `${fixed(100 * chance, 1)} %`), make("td", {}, id === came ? `came, ${fixed(cost)} nats` : ""));
      body.append(row);
    }
    return make("table", {}, make("caption", {}, title), body);
  };
  const name = `after ${quote(network, step)}`;
  view.next.replaceChildren(column(as, name), ...(zeroed && step >= state.zero.step ? [column(zeroed, `${name}, state zeroed`)] : []));
}

function quote(network, step) {
  return `‘${tokenAt(network, step)}’`;
}

function tellText(network, step) {
  const { text } = network, [[id, chance]] = readExpected(network, null).likely(step);
  return [`token ${network.times[step]} ${quote(network, step)} (${network.parts[step]})`,
    `then came ‘${text.vocabulary[text.following[step]]}’, which cost ${fixed(text.costs[step])} nats`,
    `expected most: ‘${text.vocabulary[id]}’ with ${fixed(100 * chance, 1)} %`];
}

function drawLetters(network, pen, width, height) {
  const step = places(network, width), short = network.text.ids.every((_, at) => tokenAt(network, at).length < 2);
  if (!short || step < 7) return false;
  pen.textAlign = "center";
  network.text.ids.forEach((_, at) => pen.fillText(tokenAt(network, at), centre(network, width, at), height - 4));
  return true;
}
