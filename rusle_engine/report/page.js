"use strict";
// The page's own part: languages, the zone table, and what the map shows under the cursor. Drawing, zooming and panning are Bokeh's.
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);
  const data = JSON.parse(one("#data").textContent);
  const tongue = () => (root.lang === "en" ? 1 : 0);
  const listeners = [];

  // Languages. Both stand in the page; the root's lang says which is shown. report.html?lang=en opens in English.
  function speak(language) {
    root.lang = language === "en" ? "en" : "zh-CN";
    const key = language === "en" ? "en" : "zh";
    document.title = document.body.dataset["title" + (key === "en" ? "En" : "Zh")];
    all("#language-zh, #language-en").forEach((button) => button.setAttribute("aria-pressed", String(button.id === "language-" + key)));
    all("[data-zh]").forEach((element) => {
      if (element.tagName === "INPUT") element.placeholder = element.dataset[key];
      else element.textContent = element.dataset[key];
    });
    listeners.forEach((listener) => listener());
  }
  one("#language-zh").addEventListener("click", () => speak("zh"));
  one("#language-en").addEventListener("click", () => speak("en"));
  one("#print").addEventListener("click", () => window.print());

  // The zone table: a click on a heading sorts, a second click turns the order; equal rows keep theirs.
  const table = one("#zone-table"), body = table.tBodies[0];
  const collator = new Intl.Collator("zh", { numeric: true });
  const sortable = (heading) => heading.hasAttribute("aria-sort");
  function sortBy(heading) {
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "ascending" || (heading.getAttribute("aria-sort") === "none" && heading.classList.contains("num"));
    const sign = down && heading.getAttribute("aria-sort") !== "descending" ? -1 : 1;
    const key = (row) => {
      const cell = row.cells[column];
      return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
    };
    const rows = Array.from(body.rows).map((row, index) => [key(row), index, row]);
    rows.sort(([a, i], [b, j]) => {
      if (typeof a === "string") return sign * collator.compare(a, b) || i - j;
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b) || i - j;
      return sign * (a - b) || i - j;
    });
    all("th", table.tHead).filter(sortable).forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
    body.append(...rows.map((entry) => entry[2]));
  }
  all("th", table.tHead).filter(sortable).forEach((heading) => {
    heading.addEventListener("click", () => sortBy(heading));
    heading.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sortBy(heading); }
    });
  });
  one("#filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !(row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    one("#count").textContent = String(shown);
  });
  const unit = one("#unit");
  function showUnit() {
    const choice = unit.selectedOptions[0];
    const decimals = Number(choice.dataset.decimals);
    const format = new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    all("[data-area]", table).forEach((cell) => {
      if (!("km2" in cell.dataset)) cell.dataset.km2 = cell.textContent;
      cell.textContent = unit.value === "1" || cell.dataset.v === "nan" ? cell.dataset.km2 : format.format(Number(cell.dataset.v) * Number(unit.value));
    });
    all(".unit-name", table).forEach((name) => { name.textContent = choice.dataset[tongue() ? "en" : "zh"]; });
  }
  unit.addEventListener("change", showUnit);
  listeners.push(showUnit);

  // The maps.
  const layers = new Map(data.layers.map((layer) => [layer.key, layer]));
  let active = data.layers[0].key, codes = null, place = null;
  const say = (key) => data.words[key][tongue()];

  function written(value) {
    const size = Math.abs(value);
    if (size === 0) return "0";
    const decimals = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size))));
    return new Intl.NumberFormat("en", { maximumFractionDigits: decimals }).format(value);
  }
  function read(layer) {
    const [left, right, bottom, top] = layer.extent;
    const column = Math.floor(((place.x - left) / (right - left)) * layer.columns);
    const row = Math.floor(((place.y - bottom) / (top - bottom)) * layer.rows); // row 0 is the southernmost
    if (column < 0 || row < 0 || column >= layer.columns || row >= layer.rows) return null;
    const code = codes.get(layer.key)[row * layer.columns + column];
    if (layer.classes) {
      const index = layer.classes.indexOf(code);
      return index < 0 ? null : data.classes[index][tongue()];
    }
    if (code === 0) return null;
    const step = layer.step * (code - 1);
    return written(layer.offset + (layer.shift ? layer.shift * Math.expm1(step) : step));
  }
  function showValues() {
    if (place === null || codes === null) return;
    const decimals = data.geographic ? 5 : 0;
    const format = new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    const x = format.format(data.geographic ? Math.abs(place.x) : place.x), y = format.format(data.geographic ? Math.abs(place.y) : place.y);
    one(".here .place").textContent = data.geographic ? x + "° " + (place.x < 0 ? "W" : "E") + ", " + y + "° " + (place.y < 0 ? "S" : "N") : "x " + x + " m, y " + y + " m";
    for (const layer of data.layers) one('[data-here="' + layer.key + '"] td').textContent = read(layer) ?? "–";
    const tip = one(".tip"), layer = layers.get(active), value = read(layer);
    const units = layer.units[tongue()];
    tip.textContent = value === null ? say("nodata") : (layer.classes ? "" : layer.key + " ") + value + (units ? " " + units : "");
  }
  function choose(key) {
    active = key;
    all("[data-layer]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.layer === key)));
    all("[data-legend]").forEach((legend) => { legend.hidden = legend.dataset.legend !== key; });
    all("[data-here]").forEach((row) => row.classList.toggle("on", row.dataset.here === key));
  }
  function wire(plot) {
    const images = plot.renderers.filter((renderer) => layers.has(renderer.name));
    codes = new Map(images.map((renderer) => [renderer.name, renderer.data_source.get_column("image")[0]]));
    all("[data-layer]").forEach((button) => button.addEventListener("click", () => {
      choose(button.dataset.layer);
      images.forEach((renderer) => { renderer.visible = renderer.name === active; });
      showValues();
    }));
    const frame = one(".frame"), tip = one(".tip");
    const follow = (event) => {
      place = { x: event.x, y: event.y };
      tip.hidden = false;
      showValues();
      const across = event.sx + 24 + tip.offsetWidth > frame.clientWidth ? event.sx - tip.offsetWidth - 8 : event.sx + 18;
      tip.style.transform = "none";
      tip.style.left = Math.max(2, across) + "px";
      tip.style.top = Math.max(2, event.sy - 26) + "px";
    };
    plot.on_event("mousemove", follow);
    plot.on_event("tap", follow);
    const touch = window.matchMedia("(pointer: coarse)").matches;
    plot.on_event("mouseleave", () => { tip.hidden = !touch; }); // a finger that is lifted leaves its answer behind
    // The wheel scrolls the page; with Ctrl (or on a touch pad's pinch, which browsers report so) it zooms the map.
    let fading = 0;
    frame.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) return;
      event.stopPropagation();
      one(".hint").classList.add("on");
      window.clearTimeout(fading);
      fading = window.setTimeout(() => one(".hint").classList.remove("on"), 900);
    }, { capture: true, passive: true });
    // A finger scrolls the page, two fingers zoom; the tool "move" is there for whoever wants it.
    if (touch) plot.toolbar.tools.forEach((tool) => { if (tool.type === "PanTool") tool.active = false; });
    const name = () => plot.toolbar.tools.forEach((tool) => { if (data.words[tool.type]) tool.description = say(tool.type); });
    listeners.push(name, showValues);
    name();
  }

  root.classList.add("js");
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (asked === "en" || asked === "zh") speak(asked);
  Bokeh.embed.embed_item(data.item, "map").then((views) => {
    wire(views.roots[0].model);
    root.dataset.map = "ready";
  }).catch((error) => { root.classList.remove("js"); throw error; }); // without maps that move, the still ones
})();
