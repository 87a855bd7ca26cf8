// Annotations over a graph: Grafana's own are not published. A dashed line with a mark below, as there.
const marked = new WeakSet();

/** The times that the annotation's query tells by its values. */
export function times(series) {
  return [...new Set(series.flatMap(({ values }) => values.map(([, value]) => Number(value))))];
}

export function mark(config, marks, theme) {
  if (!config || marked.has(config)) return;
  marked.add(config);
  const color = theme.visualization.getColorByName('red');
  config.addHook('draw', (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height + 10);
    ctx.clip();
    ctx.strokeStyle = color;
    ctx.fillStyle = color;
    ctx.lineWidth = 2;
    for (const time of marks) {
      if (time < plot.scales.x.min || time > plot.scales.x.max) continue;
      const x = Math.round(plot.valToPos(time, 'x', true));
      const bottom = bbox.top + bbox.height;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bottom);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.moveTo(x, bottom);
      ctx.lineTo(x - 5, bottom + 6);
      ctx.lineTo(x + 5, bottom + 6);
      ctx.fill();
    }
    ctx.restore();
  });
}
