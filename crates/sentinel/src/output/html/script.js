"use strict";
// Readings under the pointer, in all charts at once. The charts are complete without this script.
(() => {
  const summary = JSON.parse(document.getElementById("summary").textContent);
  const rows = summary.timeline;
  const step = summary.timelineStepSeconds || 1;
  const charts = [...document.querySelectorAll("[data-chart]")];
  const left = 58, right = 14;

  const digits = (value) => String(Number(value.toFixed(value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0)));
  const ms = (value) => value == null ? "–" : value >= 10000 ? digits(value / 1000) + " s" : digits(value) + " ms";
  const readings = {
    p50: (row) => ms(row.latency.p50),
    p90: (row) => ms(row.latency.p90),
    p95: (row) => ms(row.latency.p95),
    p99: (row) => ms(row.latency.p99),
    "requests/s": (row) => digits(row.requestsPerSec),
    users: (row) => String(row.activeUsers),
    failed: (row) => digits(row.errorRate * 100) + " %",
  };
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

  const show = (point) => {
    for (const chart of charts) {
      const svg = chart.querySelector("svg");
      const width = svg.viewBox.baseVal.width - left - right;
      const cursor = svg.querySelector(".cursor");
      const x = left + width * (point + 0.5) / rows.length;
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.style.visibility = point < 0 ? "hidden" : "visible";
      for (const reading of chart.querySelectorAll("[data-line]")) {
        reading.textContent = point < 0 ? "" : readings[reading.dataset.line](rows[point]);
      }
      const title = chart.querySelector(".chart-title");
      title.dataset.name ??= title.textContent;
      title.textContent = title.dataset.name + (point < 0 ? "" : ` at ${clock(point * step)}`);
    }
  };

  for (const chart of charts) {
    const svg = chart.querySelector("svg");
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const unit = svg.viewBox.baseVal.width;
      const x = (event.clientX - box.left) * unit / box.width;
      const point = Math.floor((x - left) / (unit - left - right) * rows.length);
      show(Math.max(0, Math.min(rows.length - 1, point)));
    });
    svg.addEventListener("pointerleave", () => show(-1));
  }
})();
