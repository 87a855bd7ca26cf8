// From Prometheus' answers to what a panel draws: frames as Grafana's data source makes them, then the
// panel's transformations and field options, by Grafana's own code.
import {
  FieldColorModeId, FieldType, Registry, applyFieldOverrides, booleanOverrideProcessor,
  cacheFieldDisplayNames, createTheme,
  dataLinksOverrideProcessor, displayNameOverrideProcessor, identityOverrideProcessor,
  numberOverrideProcessor, standardTransformers, standardTransformersRegistry, stringOverrideProcessor,
  thresholdsOverrideProcessor, toDataFrame, transformDataFrame, unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import { transformV2 } from 'prometheus-datasource';

export const theme = createTheme({ colors: { mode: 'dark' } });

standardTransformersRegistry.setInit(() => [...new Set(Object.values(standardTransformers))].map((transformation) => (
  { id: transformation.id, name: transformation.name, transformation, editor: () => null }
)));

/** A series as the data source's server part makes a frame of it. */
function frame({ target, query, step }, { metric, values }) {
  const { __name__: name, ...labels } = metric;
  let legend = target.legendFormat;
  if (legend === '__auto') {
    legend = Object.keys(metric).length > 0 ? '' : query;
  } else {
    legend = legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');
  }
  return toDataFrame({
    refId: target.refId,
    meta: { custom: { resultType: target.instant ? 'vector' : 'matrix' } },
    fields: [
      { name: 'Time', type: FieldType.time, values: values.map(([time]) => time * 1000),
        config: target.instant ? {} : { interval: step } },
      { name: name ?? 'Value', type: FieldType.number, labels: name ? metric : labels,
        values: values.map(([, value]) => Number(value.replace('Inf', 'Infinity'))),
        config: legend ? { displayNameFromDS: legend } : {} },
    ],
  });
}

// The field options that every panel has, as Grafana registers them; those of a panel's own kind are
// taken as they stand.
const STANDARD = {
  unit: unitOverrideProcessor, min: numberOverrideProcessor, max: numberOverrideProcessor,
  decimals: numberOverrideProcessor, displayName: displayNameOverrideProcessor,
  color: identityOverrideProcessor, noValue: stringOverrideProcessor, links: dataLinksOverrideProcessor,
  mappings: valueMappingsOverrideProcessor, thresholds: thresholdsOverrideProcessor,
  filterable: booleanOverrideProcessor, fieldMinMax: booleanOverrideProcessor,
};
const CUSTOM = [
  'lineWidth', 'fillOpacity', 'showPoints', 'axisSoftMin', 'axisSoftMax', 'stacking', 'thresholdsStyle',
  'lineStyle', 'align', 'filterable', 'inspect', 'cellOptions', 'width', 'minWidth', 'hideFrom',
  'drawStyle', 'lineInterpolation', 'gradientMode', 'spanNulls', 'axisPlacement', 'axisLabel', 'pointSize',
  'axisWidth', 'scaleDistribution', 'insertNulls', 'hidden', 'wrapText', 'hideFrom.legend', 'hideFrom.viz',
];

const item = (id, path, isCustom, process) => ({
  id, path, isCustom, process, name: id, editor: () => null, override: () => null, settings: {},
  shouldApply: () => true,
});
const registry = new Registry(() => [
  ...Object.entries(STANDARD).map(([id, process]) => item(id, id, false, process)),
  ...CUSTOM.map((id) => item(`custom.${id}`, id, true, identityOverrideProcessor)),
]);

/** What a kind of panel fills in where the dashboard says nothing. */
const KIND_DEFAULTS = {
  timeseries: { color: { mode: FieldColorModeId.PaletteClassic } },
  heatmap: { color: { mode: FieldColorModeId.PaletteClassic } },
};
const THRESHOLDS = { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] };

function known(id) {
  return id in STANDARD || CUSTOM.some((name) => id === `custom.${name}`);
}

/** JSON has no infinity: Grafana reads the first step's null as one. */
function withInfinity(value) {
  if (Array.isArray(value)) return value.map(withInfinity);
  if (value === null || typeof value !== 'object') return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withInfinity(inner)]));
  if (copy.steps) copy.steps = copy.steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  return copy;
}

/** The frames of a panel, ready to draw. */
export async function framesOf({ panel, answers }, interpolate) {
  const raw = answers.flatMap((answer) => answer.result.map((series) => frame(answer, series)));
  const { data } = transformV2({ data: raw }, { targets: panel.targets, app: 'dashboard' }, {});
  let frames = data.map((one) => toDataFrame(one));
  if (panel.transformations) {
    frames = await new Promise((resolve, reject) => {
      transformDataFrame(panel.transformations, frames, { interpolate }).subscribe({ next: resolve, error: reject });
    });
  }
  const { defaults, overrides } = withInfinity(panel.fieldConfig);
  for (const name of Object.keys(defaults).filter((name) => name !== 'custom')) {
    if (!known(name)) throw new Error(`${panel.title}: the field option ${name} is not known here`);
  }
  for (const id of [...Object.keys(defaults.custom ?? {}).map((name) => `custom.${name}`),
    ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id))]) {
    if (!known(id)) throw new Error(`${panel.title}: the field option ${id} is not known here`);
  }
  frames = applyFieldOverrides({
    data: frames,
    fieldConfig: { defaults: { thresholds: THRESHOLDS, ...KIND_DEFAULTS[panel.type], ...defaults }, overrides },
    fieldConfigRegistry: registry,
    replaceVariables: interpolate,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(frames);
  return frames;
}

