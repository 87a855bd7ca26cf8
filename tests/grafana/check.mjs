// Holds dashboards/*.json to the types that Grafana publishes as @grafana/schema: the dashboard's own
// model, and the options and field options of every kind of panel that is used.
//
//   tests/grafana/schema        installs what it needs below target/ and runs this
import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const types = 'node_modules/@grafana/schema/dist/types/raw';

function schema(declarations, type) {
  // The generator reads no .d.ts.
  const copy = path.resolve(`${declarations.replaceAll('/', '_')}.ts`);
  fs.copyFileSync(path.join(types, declarations, 'types.gen.d.ts'), copy);
  const generator = createGenerator({
    path: copy, type, skipTypeCheck: true, additionalProperties: false, expose: 'all',
  });
  return new Ajv({ strict: false, allErrors: true }).compile(generator.createSchema(type));
}

const dashboard = schema('dashboard/x', 'Dashboard');
const panels = {
  timeseries: ['timeseries', 'Options', 'FieldConfig'],
  stat: ['stat', 'Options', null],
  table: ['table', 'Options', 'FieldConfig'],
  bargauge: ['bargauge', 'Options', null],
  'state-timeline': ['statetimeline', 'Options', 'FieldConfig'],
  heatmap: ['heatmap', 'Options', 'FieldConfig'],
};
const kinds = {};
for (const [kind, [directory, options, field]] of Object.entries(panels)) {
  const declarations = `composable/${directory}/panelcfg/x`;
  kinds[kind] = {
    options: schema(declarations, options),
    field: field && schema(declarations, field),
  };
}

// What Grafana itself writes and its schema lacks.
const lacking = [
  /^\/templating\/list\/\d+ .*'definition'/,
  /^\/annotations\/list\/\d+ .*'(expr|step|titleFormat|textFormat|useValueForTime)'/,
  /^\/panels\/\d+ /, // panels and rows are a union; they are looked at one by one below
];

let checked = 0;
function faults(validate, value, where) {
  checked += 1;
  if (validate(value)) return [];
  return validate.errors.map((error) =>
    `${error.instancePath} ${error.message} ${JSON.stringify(error.params).replaceAll('"', "'")}`)
    .filter((text) => !lacking.some((known) => known.test(text)))
    .map((text) => `${where}${text}`);
}

function check(board, name) {
  let found = faults(dashboard, { ...board, panels: [] }, name);
  for (const panel of board.panels.filter((panel) => panel.type !== 'row')) {
    const where = `${name} "${panel.title}"`;
    found = found.concat(faults(dashboard, { ...board, panels: [panel] }, where)
      .filter((text) => !text.includes('/templating') && !text.includes('/annotations')));
    const kind = kinds[panel.type];
    if (!kind) { found.push(`${where}: no schema for ${panel.type}`); continue; }
    found = found.concat(faults(kind.options, panel.options, `${where} options`));
    if (kind.field) {
      found = found.concat(faults(kind.field, panel.fieldConfig.defaults.custom, `${where} custom`));
    }
  }
  return found;
}

const [directory] = process.argv.slice(2);
let all = [];
for (const name of ['overview', 'provider', 'reputation', 'exporter']) {
  all = all.concat(check(JSON.parse(fs.readFileSync(path.join(directory, `${name}.json`))), name));
}

// The check itself must be able to fail.
const broken = JSON.parse(fs.readFileSync(path.join(directory, 'overview.json')));
broken.graphTooltip = 9;
broken.panels[0].gridPos.w = 'wide';
broken.panels[0].options.colorMode = 'rainbow';
broken.panels[1].fieldConfig.defaults.thresholds.mode = 'nope';
broken.templating.list[1].hide = 'no';
const caught = check(broken, 'broken').length;

for (const text of all) console.error(text);
console.log(`${checked} checks against @grafana/schema: ${all.length} faults; ` +
  `${caught} found in a dashboard broken in 5 places`);
process.exit(all.length === 0 && caught >= 5 ? 0 : 1);
