// One component for each kind of panel. Graphs, numbers, tables and bars are Grafana's own components,
// put together as its panels do; state timelines and heatmaps are not published and stand in their
// own files.
import { FieldType, VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { theme } from './frames.js';
import { Heatmap } from './heatmap.jsx';
import { mark } from './marks.js';
import { StateTimeline } from './timeline.jsx';

const asIs = (text) => text;

function values({ panel, frames }) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: asIs,
    theme, data: frames, timeZone: 'utc',
  });
}

function Graph({ panel, frames, range, marks, width, height }) {
  // As Grafana's panel does before drawing: what is no number is a gap.
  const drawn = frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => (field.type === FieldType.number
      ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) }
      : field)),
  }));
  return (
    <TimeSeries
      frames={drawn} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height}
      legend={panel.options.legend} options={panel.options}
    >
      {(config) => { mark(config, marks, theme); return null; }}
    </TimeSeries>
  );
}

function Stat(props) {
  const { panel, width, height } = props;
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => values(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width: w, height: h, count }) => (
        <BigValue
          value={value.display} count={count} colorMode={options.colorMode} graphMode={options.graphMode}
          justifyMode={options.justifyMode} textMode={options.textMode} alignmentFactors={alignmentFactors}
          text={options.text} width={w} height={h} theme={theme} disableWideLayout={!options.wideLayout}
          percentChangeColorMode={options.percentChangeColorMode}
        />
      )}
      width={width} height={height} source={props.frames} itemSpacing={3} renderCounter={0} autoGrid
      orientation={options.orientation}
    />
  );
}

function Bars(props) {
  const { panel, width, height } = props;
  const { options } = panel;
  return (
    <VizRepeater
      source={props.frames} getAlignmentFactors={getDisplayValueAlignmentFactors} getValues={() => values(props)}
      renderValue={({ value, alignmentFactors, orientation, width: w, height: h, count }) => (
        <BarGauge
          value={value.display} width={w} height={h} orientation={orientation} field={value.field}
          text={options.text} display={value.view?.getFieldDisplayProcessor(value.colIndex)} theme={theme}
          itemSpacing={options.displayMode === 'lcd' ? 2 : 10} displayMode={options.displayMode}
          alignmentFactors={count > 1 ? alignmentFactors : undefined} showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode} namePlacement={options.namePlacement} isOverflow={false}
        />
      )}
      renderCounter={0} width={width} height={height} itemSpacing={10}
      minVizWidth={options.sizing === 'auto' ? 0 : options.minVizWidth}
      minVizHeight={options.sizing === 'auto' ? 0 : options.minVizHeight}
      maxVizHeight={options.sizing === 'auto' ? 300 : options.maxVizHeight}
      orientation={options.orientation ?? VizOrientation.Horizontal}
    />
  );
}

function Table({ panel, frames, width, height }) {
  const { options } = panel;
  return (
    <TableNG
      data={frames[options.frameIndex ?? 0]} width={width} height={height} noHeader={!options.showHeader}
      initialSortBy={options.sortBy} cellHeight={options.cellHeight} resizable fieldConfig={panel.fieldConfig}
      structureRev={1} getActions={() => []} disableSanitizeHtml={false} enableVirtualization={false}
    />
  );
}

export const KINDS = {
  timeseries: Graph, stat: Stat, bargauge: Bars, table: Table, 'state-timeline': StateTimeline, heatmap: Heatmap,
};
