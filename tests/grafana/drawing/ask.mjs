// What Grafana would ask for a dashboard: variables, intervals, and every panel's queries.
import { createRequire } from 'node:module';
import path from 'node:path';
import { END } from './traffic.mjs';

// Of the whole package only parts load outside a browser.
const { calculateInterval } = createRequire(import.meta.url)(
  path.resolve('node_modules/@grafana/data/dist/cjs/datetime/rangeutil.cjs'));

/** The scrape interval that the data source is set to. */
const SCRAPE = 60;
/** Of the pictures, in pixels. Grafana's grid: 24 columns, lines of 30, 8 between. */
export const WIDTH = 1600;
const PADDING = 16;
const GAP = 8;

/** Where a panel stands. */
export function place({ x, y, w, h }) {
  const column = (WIDTH - 2 * PADDING - 23 * GAP) / 24;
  return {
    left: Math.round(PADDING + x * (column + GAP)), top: y * (30 + GAP),
    width: Math.round(w * column + (w - 1) * GAP), height: h * 30 + (h - 1) * GAP,
  };
}

const CHOSEN = { provider: 'yahoo' };

/** Everything that a dashboard asks, answered. */
export async function ask(board, prometheus) {
  const to = END / 1000;
  const [, count, unit] = /^now-(\d+)([hd])$/.exec(board.time.from);
  const from = to - count * { h: 3600, d: 86400 }[unit];
  const variables = await resolveVariables(board, prometheus);
  const panels = [];
  for (const panel of board.panels) {
    const at = place(panel.gridPos);
    const answers = [];
    for (const target of panel.targets ?? []) {
      answers.push(await answer(target, at.width, { from, to }, variables, prometheus));
    }
    panels.push({ panel, at, answers });
  }
  const [annotation] = board.annotations.list;
  // Grafana asks for a hundred points of an annotation.
  const step = stepOf({ from, to }, 100);
  const marks = await prometheus.range(fill(annotation.expr, { ...variables, __interval: `${step}s` }), from, to, step);
  return { board, from: from * 1000, to: to * 1000, variables, panels, marks };
}

/** Seconds between the points of a query that may have so many. */
function stepOf({ from, to }, points) {
  const range = { from: { valueOf: () => from * 1000 }, to: { valueOf: () => to * 1000 } };
  return calculateInterval(range, points, `${SCRAPE}s`).intervalMs / 1000;
}

async function answer(target, width, { from, to }, variables, prometheus) {
  const step = stepOf({ from, to }, width);
  const query = fill(target.expr, {
    ...variables,
    __rate_interval: `${Math.max(step + SCRAPE, 4 * SCRAPE)}s`,
    __range: `${to - from}s`,
    __interval: `${step}s`,
  });
  // The data source aligns the range to the step.
  const align = (time) => Math.floor(time / step) * step;
  const result = target.instant
    ? (await prometheus.instant(query, to)).map(({ metric, value }) => ({ metric, values: [value] }))
    : await prometheus.range(query, align(from), align(to), step);
  return { target, query, step: step * 1000, result };
}

async function resolveVariables(board, prometheus) {
  const variables = {};
  for (const variable of board.templating.list.filter(({ type }) => type === 'query')) {
    const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(variable.definition);
    const values = await prometheus.labelValues(label, fill(selector, variables));
    if (!values.length) throw new Error(`the variable ${variable.name} has no values`);
    if (variable.multi) {
      variables[variable.name] = variable.allValue;
    } else {
      const chosen = CHOSEN[variable.name];
      if (!values.includes(chosen)) throw new Error(`${variable.name}: no ${chosen} among ${values}`);
      variables[variable.name] = chosen;
    }
  }
  return variables;
}

/** The longest names first: $__range is the beginning of $__range_s. */
function fill(text, variables) {
  return Object.keys(variables).sort().reverse()
    .reduce((filled, name) => filled.replaceAll(`$${name}`, variables[name]), text);
}
