// A stand-in for Grafana's state timeline, which is not published, made of its published plot: a row for
// each series, a box for each stretch of equal mapped values, the mappings as legend.
import { FALLBACK_COLOR, FieldType, getFieldDisplayName, outerJoinDataFrames } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder, VizLayout, VizLegend } from '@grafana/ui';
import { useMemo } from 'react';
import { theme } from './frames.js';
import { mark } from './marks.js';

/** Stretches of one text and colour. */
function stretches(field, times, step) {
  const found = [];
  for (const [index, time] of times.entries()) {
    const value = field.values[index];
    if (!Number.isFinite(value)) continue;
    const { text, color = FALLBACK_COLOR } = field.display(value);
    const last = found.at(-1);
    if (last && last.text === text && time - last.to <= step) last.to = time;
    else {
      if (last && time - last.to <= step) last.to = time;
      found.push({ text, color, from: time, to: time });
    }
  }
  return found.map((one) => ({ ...one, to: Math.max(one.to, one.from + step / 2) }));
}

function prepare({ panel, frames, range, marks }) {
  const joined = outerJoinDataFrames({ frames });
  const [time, ...rest] = joined.fields;
  const fields = rest.filter(({ type }) => type === FieldType.number);
  const names = fields.map((field) => getFieldDisplayName(field, joined, frames));
  const { fillOpacity = 70 } = panel.fieldConfig.defaults.custom;
  const { rowHeight } = panel.options;
  const step = frames[0].fields[0].config.interval;
  const rows = fields.map((field) => stretches(field, time.values, step));

  const config = new UPlotConfigBuilder('utc');
  config.addScale({
    scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right,
    range: () => [range.from.valueOf(), range.to.valueOf()],
  });
  config.addScale({
    scaleKey: 'rows', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up,
    range: () => [0, rows.length],
  });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone: 'utc', theme, grid: { show: true } });
  config.addAxis({
    scaleKey: 'rows', placement: AxisPlacement.Left, theme, grid: { show: false }, ticks: { show: false }, gap: 15,
    splits: () => rows.map((_, index) => rows.length - index - 0.5), values: () => names,
  });
  for (const field of fields) {
    config.addSeries({ scaleKey: 'rows', theme, show: true, pathBuilder: () => null, pointsFilter: () => null, lineColor: 'transparent', colorMode: field.config.color });
  }
  config.addHook('draw', (plot) => {
    const { ctx, bbox } = plot;
    const height = bbox.height / rows.length;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.globalAlpha = fillOpacity / 100;
    for (const [index, row] of rows.entries()) {
      const top = bbox.top + index * height + height * (1 - rowHeight) / 2;
      for (const { from, to, color } of row) {
        const left = Math.round(plot.valToPos(from, 'x', true));
        const right = Math.round(plot.valToPos(to, 'x', true));
        ctx.fillStyle = color;
        ctx.fillRect(left, Math.round(top), right - left, Math.round(height * rowHeight));
      }
    }
    ctx.restore();
  });
  mark(config, marks, theme);
  const data = [time.values, ...fields.map(() => time.values.map(() => null))];
  return { config, data };
}

export function StateTimeline(props) {
  const { panel, width, height } = props;
  const { config, data } = useMemo(() => prepare(props), []);
  const items = panel.fieldConfig.defaults.mappings.map(({ options: { result } }) => ({
    label: result.text, color: theme.visualization.getColorByName(result.color), yAxis: 1,
  }));
  const legend = (
    <VizLayout.Legend placement="bottom">
      <VizLegend placement="bottom" displayMode="list" items={items} readonly />
    </VizLayout.Legend>
  );
  return (
    <VizLayout width={width} height={height} legend={legend}>
      {(w, h) => <UPlotChart config={config} data={data} width={w} height={h} />}
    </VizLayout>
  );
}
