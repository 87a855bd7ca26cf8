// A stand-in for Grafana's heatmap, which is not published, made of its published plot: a row for each
// bucket of the histogram, a cell for each point in time, and the colour scale.
import { FieldType, getValueFormat, formattedValueToString } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder, VizLayout } from '@grafana/ui';
import { interpolateOranges } from 'd3-scale-chromatic';
import { useMemo } from 'react';
import { theme } from './frames.js';
import { mark } from './marks.js';

function prepare({ panel, frames, range, marks }) {
  const [frame] = frames;
  const time = frame.fields.find(({ type }) => type === FieldType.time);
  const rows = frame.fields.filter(({ type }) => type === FieldType.number);
  const { color, filterValues, yAxis, cellGap } = panel.options;
  const format = getValueFormat(yAxis.unit);
  const bounds = rows.map(({ name }) => (name === '+Inf' ? '+Inf' : formattedValueToString(format(Number(name)))));
  const values = rows.flatMap((row) => row.values).filter((value) => value > (filterValues?.le ?? 0));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const exponent = color.scale === 'exponential' ? color.exponent : 1;
  const paint = (value) => {
    const part = high > low ? ((value - low) / (high - low)) ** exponent : 1;
    const step = Math.min(Math.floor(part * color.steps), color.steps - 1) / (color.steps - 1);
    // Dark themes draw little dark and much bright.
    return interpolateOranges(1 - step);
  };
  const interval = time.config.interval;

  const config = new UPlotConfigBuilder('utc');
  config.addScale({
    scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right,
    range: () => [range.from.valueOf(), range.to.valueOf()],
  });
  config.addScale({
    scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, rows.length],
  });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone: 'utc', theme });
  config.addAxis({
    scaleKey: 'y', placement: AxisPlacement.Left, theme, grid: { show: false },
    // A bucket's upper bound is its upper edge.
    splits: (plot) => {
      const every = Math.ceil(rows.length * 18 / (plot.bbox.height / devicePixelRatio));
      return rows.map((_, index) => index + 1).filter((edge) => (rows.length - edge) % every === 0);
    },
    values: (_, splits) => splits.map((edge) => bounds[edge - 1]),
  });
  config.addSeries({ scaleKey: 'y', theme, show: true, pathBuilder: () => null, pointsFilter: () => null, lineColor: 'transparent' });
  config.addHook('draw', (plot) => {
    const { ctx, bbox } = plot;
    const height = bbox.height / rows.length;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [row, { values: counts }] of rows.entries()) {
      const top = bbox.top + bbox.height - (row + 1) * height;
      for (const [index, count] of counts.entries()) {
        if (!(count > (filterValues?.le ?? 0))) continue;
        const left = plot.valToPos(time.values[index] - interval, 'x', true);
        const right = plot.valToPos(time.values[index], 'x', true);
        ctx.fillStyle = paint(count);
        ctx.fillRect(Math.round(left), Math.round(top), Math.max(Math.round(right) - Math.round(left) - cellGap, 1), Math.round(height) - cellGap);
      }
    }
    ctx.restore();
  });
  mark(config, marks, theme);
  const scale = { low, high, colors: Array.from({ length: color.steps }, (_, index) => interpolateOranges(1 - index / (color.steps - 1))) };
  return { config, data: [time.values, time.values.map(() => null)], scale };
}

function Scale({ scale: { low, high, colors }, unit }) {
  const show = (value) => formattedValueToString(getValueFormat(unit)(value, 0));
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 8, padding: '4px 8px 0', font: '12px Inter', color: theme.colors.text.secondary }}>
      <span>{show(low)}</span>
      <div style={{ width: 180, height: 8, background: `linear-gradient(90deg, ${colors.join(', ')})` }} />
      <span>{show(high)}</span>
    </div>
  );
}

export function Heatmap(props) {
  const { config, data, scale } = useMemo(() => prepare(props), []);
  const legend = (
    <VizLayout.Legend placement="bottom">
      <Scale scale={scale} unit={props.panel.options.cellValues.unit} />
    </VizLayout.Legend>
  );
  return (
    <VizLayout width={props.width} height={props.height} legend={legend}>
      {(w, h) => <UPlotChart config={config} data={data} width={w} height={h} />}
    </VizLayout>
  );
}
