"use strict";
// The page's own script: shows the charts, moves the picture as one, filters the timeline. Without it every number is
// still there, in tables.
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const views = {};
  const root = document.documentElement;

  function inner(spec, element) {
    return Math.max(120, element.clientWidth - spec.padding.left - spec.padding.right);
  }

  async function show(name) {
    const element = document.getElementById(`chart-${name}`);
    const spec = specs[name];
    if (!element || !spec) return;
    spec.width = inner(spec, element);
    // The interpreter evaluates expressions without `eval`, which the page's policy forbids.
    const view = new vega.View(vega.parse(spec, null, { ast: true }), {
      expr: vegaInterpreter.expressionInterpreter, renderer: "svg", hover: false, logLevel: vega.Error,
    });
    view.initialize(element);
    views[name] = { view, element, spec };
    await view.runAsync();
  }

  function fit() {
    for (const { view, element, spec } of Object.values(views)) {
      const width = inner(spec, element);
      if (Math.abs(view.width() - width) > 1) view.width(width).run();
    }
  }

  // ---- the picture: zoom and moment ----------------------------------------------------------------------------
  function said(seconds) {
    const sign = seconds < 0 ? "-" : "+";
    const size = Math.abs(seconds);
    if (size < 120) return `${sign}${size.toFixed(size < 10 ? 2 : 1)} s`;
    const hours = Math.floor(size / 3600), minutes = Math.floor(size % 3600 / 60), rest = Math.floor(size % 60);
    const two = (n) => String(n).padStart(2, "0");
    return hours ? `${sign}${hours}:${two(minutes)}:${two(rest)} h` : `${sign}${minutes}:${two(rest)} min`;
  }

  function picture() {
    const shown = views.picture;
    if (!shown) return;
    const { view, element, spec } = shown;
    const values = (name) => (spec.data.find((data) => data.name === name) || { values: [] }).values;
    const whole = [signal("x0"), signal("x1")];
    const least = Math.max(0.2, (whole[1] - whole[0]) / 5000);
    const slider = document.getElementById("moment");
    const readout = document.getElementById("readout");
    document.querySelector(".tools").hidden = false;

    function signal(name) { return view.signal(name); }
    function zoom(begin, end) {
      let length = Math.min(Math.max(end - begin, least), whole[1] - whole[0]);
      let from = Math.min(Math.max((begin + end - length) / 2, whole[0]), whole[1] - length);
      view.signal("x0", from).signal("x1", from + length).run();
    }
    function invert(event) {
      const box = element.querySelector("svg").getBoundingClientRect();
      const scale = box.width / (view.width() + spec.padding.left + spec.padding.right);
      const x = (event.clientX - box.left) / scale - spec.padding.left;
      const share = Math.min(1, Math.max(0, x / view.width()));
      return signal("x0") + share * (signal("x1") - signal("x0"));
    }
    function at(rows, moment) { return rows.find((row) => row.from <= moment && moment < row.to); }
    function bin(rows, moment) {
      let low = 0, high = rows.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (rows[middle].t <= moment) low = middle; else high = middle - 1;
      }
      return rows.length && rows[low].t <= moment ? rows[low] : null;
    }
    function milliseconds(value) { return value == null ? "not answered" : value < 1 ? `${+(value * 1000).toPrecision(3)} ms` : `${+value.toPrecision(3)} s`; }
    function tell(moment) {
      const parts = [["", said(moment)]];
      const phase = at(values("phases"), moment);
      if (phase) parts.push(["phase", phase.name]);
      const beat = at(values("beats_users"), moment);
      if (values("beats_users").length) parts.push(["beats", beat ? beat.state : "absent"]);
      const copy = at(values("beats_copy"), moment);
      if (copy) parts.push(["copy", copy.state]);
      const up = bin(values("availability"), moment);
      if (up) parts.push(["availability", up.v == null ? "missing" : `${+(up.v * 100).toFixed(1)} %`]);
      const load = bin(values("load"), moment);
      if (load) {
        const silent = load.ok == null && load.errors == null && load.p50 == null;
        parts.push(["p50", silent ? "missing" : milliseconds(load.p50)]);
        if (!silent) parts.push(["p95", milliseconds(load.p95)], ["p99", milliseconds(load.p99)]);
        if (load.ok != null) parts.push(["answered", `${load.ok}/s`], ["failed", `${load.errors}/s`]);
      }
      const writes = bin(values("writes"), moment);
      if (writes) {
        const names = { survived: "writes survived", lost: "lost", holes: "holes", unproved: "not proved", indeterminate: "no answer" };
        for (const [key, name] of Object.entries(names)) if (writes[key] || key === "survived") parts.push([name, String(writes[key])]);
      }
      for (let n = 0; values(`stage_${n}`).length; n++) {
        const rows = values(`stage_${n}`), last = rows[rows.length - 1];
        if (rows[0].t <= moment && moment <= last.t) {
          const row = bin(rows, moment);
          parts.push([row.stage, `${Math.round(row.bytes).toLocaleString("en")} B, ${Math.round(row.rate).toLocaleString("en")} B/s`]);
        }
      }
      for (const deed of values("deeds")) if (deed.from <= moment && moment < deed.to) parts.push([deed.kind, deed.name]);
      readout.replaceChildren(...parts.map(([name, value]) => {
        const span = document.createElement("span");
        if (name) span.append(`${name} `);
        const bold = document.createElement("b");
        bold.textContent = value;
        span.append(bold);
        return span;
      }));
    }
    function point(moment) {
      view.signal("moment", moment).run();
      slider.value = moment;
      slider.setAttribute("aria-valuetext", said(moment));
      tell(moment);
    }

    let begun = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      begun = { moment: invert(event), x: event.clientX };
      if (event.pointerType === "mouse") element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      const moment = invert(event);
      if (begun && Math.abs(event.clientX - begun.x) > 4 && event.pointerType === "mouse") {
        view.signal("brush0", begun.moment).signal("brush1", moment);
      }
      point(moment);
    });
    const end = (event) => {
      if (begun && signal("brush0") != null && event.type === "pointerup") {
        const edges = [begun.moment, invert(event)].sort((a, b) => a - b);
        view.signal("brush0", null).signal("brush1", null);
        zoom(...edges);
      } else if (begun) {
        view.signal("brush0", null).signal("brush1", null).run();
        if (event.type === "pointerup") point(invert(event));
      }
      begun = null;
    };
    element.addEventListener("pointerup", end);
    element.addEventListener("pointercancel", end);
    element.addEventListener("dblclick", () => zoom(...whole));
    element.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // plain wheel scrolls the page
      event.preventDefault();
      const moment = invert(event), factor = event.deltaY > 0 ? 1.25 : 0.8;
      zoom(moment - (moment - signal("x0")) * factor, moment + (signal("x1") - moment) * factor);
    }, { passive: false });
    slider.addEventListener("input", () => {
      const moment = Number(slider.value), length = signal("x1") - signal("x0");
      if (moment < signal("x0") || moment > signal("x1")) zoom(moment - length / 2, moment + length / 2);
      point(moment);
    });
    const moves = {
      in: () => { const [a, b] = [signal("x0"), signal("x1")], m = signal("moment") ?? (a + b) / 2; zoom(m - (m - a) / 2, m + (b - m) / 2); },
      out: () => { const [a, b] = [signal("x0"), signal("x1")]; zoom(a - (b - a) / 2, b + (b - a) / 2); },
      left: () => { const [a, b] = [signal("x0"), signal("x1")], by = (b - a) / 3; zoom(a - by, b - by); },
      right: () => { const [a, b] = [signal("x0"), signal("x1")], by = (b - a) / 3; zoom(a + by, b + by); },
      all: () => zoom(...whole),
      outage: () => { const [a, b] = outage(); zoom(a, b); },
    };
    function outage() {
      const bad = values("beats_users").filter((row) => row.state !== "good");
      const begin = bad.length ? Math.min(...bad.map((row) => row.from)) : 0;
      const end = bad.length ? Math.max(...bad.map((row) => row.to)) : begin + (whole[1] - whole[0]) / 10;
      const room = Math.max(1, (end - begin) * 0.12);
      return [begin - room, end + room];
    }
    for (const button of document.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => moves[button.dataset.zoom]());
    }
    tell(values("phases").length ? Math.max(0, whole[0]) : whole[0]);
  }

  // ---- the timeline: filter, and links that lead to an entry -------------------------------------------------------
  function timeline() {
    const rows = [...document.querySelectorAll(".journal tbody tr")];
    const buttons = [...document.querySelectorAll(".filter button")];
    const find = document.getElementById("find");
    const found = document.getElementById("found");
    if (!rows.length) return;
    document.querySelector(".filter").hidden = false;
    function filter() {
      const kinds = new Set(buttons.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.kind));
      const text = find.value.trim().toLowerCase();
      let count = 0;
      for (const row of rows) {
        const shown = kinds.has(row.dataset.kind) && (!text || row.textContent.toLowerCase().includes(text));
        row.hidden = !shown;
        count += shown;
      }
      found.textContent = count === rows.length ? "" : `${count} of ${rows.length} entries`;
    }
    for (const button of buttons) {
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
        filter();
      });
    }
    find.addEventListener("input", filter);
    function follow() {
      const row = location.hash.startsWith("#entry-") && document.getElementById(location.hash.slice(1));
      if (!row) return;
      row.hidden = false;
      row.querySelector("details").open = true;
      row.scrollIntoView({ block: "center" });
    }
    addEventListener("hashchange", follow);
    follow();
  }

  timeline();
  (async () => {
    for (const name of ["gauges", "picture", "waterfall"]) await show(name);
    picture();
    new ResizeObserver(fit).observe(document.body);
    addEventListener("beforeprint", fit);
    root.dataset.ready = "yes";
  })();
})();
