(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("charts").textContent);
  var config = {
    displayModeBar: false,
    displaylogo: false,
    doubleClick: false,
    scrollZoom: false,
    showTips: false
  };
  // A chart follows the box that it is in: a turned phone changes that, and so does a side panel.
  var boxes = new ResizeObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.target.offsetWidth > 0) Plotly.Plots.resize(entry.target);
    });
  });
  var charts = Object.keys(figures).map(function (id) {
    var place = document.getElementById(id);
    Plotly.newPlot(place, figures[id].data, figures[id].layout, config).then(function () {
      boxes.observe(place);
    });
    return place;
  });
  // Paper is narrower than a screen, and nobody can click on it.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
    charts.forEach(function (place) {
      var panel = place.closest(".panel");
      Plotly.relayout(place, { autosize: false, width: panel ? 190 : 660 });
    });
  });
  window.addEventListener("afterprint", function () {
    charts.forEach(function (place) { Plotly.relayout(place, { autosize: true, width: null }); });
  });
})();
