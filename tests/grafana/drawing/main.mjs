// Draws dashboards/*.json as PNG and fails where a panel has nothing to show.
//
//   tests/grafana/pictures      installs what it needs below target/ and runs this
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { ask, WIDTH } from './ask.mjs';
import { Chromium } from './chromium.mjs';
import { play } from './play.mjs';
import { Prometheus, raise, record } from './prometheus.mjs';
import { run, waitFor } from './tools.mjs';
import { END } from './traffic.mjs';

const BOARDS = ['overview', 'provider', 'reputation', 'exporter'];

const { values: given } = parseArgs({ options: {
  repository: { type: 'string' }, exporter: { type: 'string' }, redraw: { type: 'boolean' },
} });
const dashboards = path.join(given.repository, 'dashboards');
const tools = path.join(given.repository, 'target/tools/usr');
const program = (name) => path.join(tools, 'bin', name);
const libraries = fs.readdirSync(path.join(tools, 'lib')).filter((name) => name.endsWith('-linux-gnu'))
  .flatMap((name) => ['', '/pulseaudio'].map((below) => path.join(tools, 'lib', name + below))).join(':');
const work = path.resolve('work');
const store = path.join(work, 'store');
const promtool = program('promtool');

async function gather() {
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(store, { recursive: true });
  await play({ exporter: given.exporter, promtool, directory: work, store });
  let server = await Prometheus.start(program('prometheus'), work, store);
  await record(server, promtool, path.join(dashboards, 'rules/mta_exporter.yml'), work, store);
  await server.stop();
  server = await Prometheus.start(program('prometheus'), work, store);
  const { groups } = JSON.parse(fs.readFileSync(path.join(dashboards, 'rules/mta_exporter.json')));
  const firing = await raise(server, groups, promtool, work, store);
  await server.stop();
  console.log(`alerts that fire at the end: ${firing.join(', ')}`);
}

/** What the dashboards ask and get, for the page to draw. */
async function answers() {
  const server = await Prometheus.start(program('prometheus'), work, store);
  fs.mkdirSync('served/data', { recursive: true });
  for (const name of BOARDS) {
    const board = JSON.parse(fs.readFileSync(path.join(dashboards, `${name}.json`)));
    fs.writeFileSync(`served/data/${name}.json`, JSON.stringify(await ask(board, server)));
    if (name === 'exporter') fs.writeFileSync('served/data/broken.json', JSON.stringify(await ask(broken(board), server)));
  }
  await server.stop();
}

/** Grafana builds its tables on a branch of react-data-grid that is in no registry. The release that it
 * began from wants React 19, where a context is its own provider; Grafana has React 18. */
const contexts = {
  name: 'contexts',
  setup: ({ onLoad }) => onLoad({ filter: /react-data-grid\/lib\/.*\.js$/ }, ({ path: file }) => ({
    contents: fs.readFileSync(file, 'utf8').replace(/\b(jsxs?\(\s*\w+Context), \{/g, '$1.Provider, {'), loader: 'js',
  })),
};

async function bundle() {
  const grafana = path.resolve('node_modules/@grafana/ui/dist/public');
  await build({
    entryPoints: ['page/page.jsx'], outfile: 'served/page.js', bundle: true, format: 'iife', jsx: 'automatic',
    logLevel: 'error', plugins: [contexts], define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    loader: { '.svg': 'text', '.ttf': 'empty' },
    alias: {
      'prometheus-datasource': path.resolve('prometheus-datasource/dist/esm/result_transformer.mjs'),
      '@grafana/runtime': path.resolve('page/runtime.js'),
    },
  });
  fs.cpSync(grafana, 'served/public/build', { recursive: true });
  fs.mkdirSync('served/public/fonts/inter', { recursive: true });
  for (const [weight, name] of [[400, 'Regular'], [500, 'Medium']]) {
    fs.copyFileSync(`node_modules/@fontsource/inter/files/inter-latin-${weight}-normal.woff2`, `served/public/fonts/inter/Inter-${name}.woff2`);
  }
  fs.writeFileSync('served/index.html', '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
    + '<link rel="stylesheet" href="/page.css"><body style="margin:0"><div id="root"></div><script src="/page.js"></script>');
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.woff2': 'font/woff2' };

function serve() {
  return new Promise((resolve) => {
    const server = http.createServer((request, response) => {
      const asked = new URL(request.url, 'http://localhost').pathname;
      const file = path.join('served', path.normalize(asked === '/' ? '/index.html' : asked));
      if (!fs.existsSync(file)) { response.writeHead(404).end(); return; }
      response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
      fs.createReadStream(file).pipe(response);
    }).listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** A dashboard in which four panels are broken: the check must see it. */
function broken(board) {
  const copy = structuredClone(board);
  const [empty, wrong, unknown] = copy.panels.filter(({ type }) => type === 'stat');
  empty.targets[0].expr = 'vector(1) > 1';
  wrong.options = null;
  unknown.fieldConfig.defaults.colour = 'green';
  const wide = copy.panels.find(({ type }) => type === 'table');
  wide.fieldConfig.overrides.push({ matcher: { id: 'byName', options: 'source' }, properties: [{ id: 'custom.width', value: 2000 }] });
  return copy;
}

async function draw(name, chromium, port) {
  const page = await chromium.page(`http://127.0.0.1:${port}/?board=${name}`, WIDTH, END);
  const drawn = await waitFor(`${name} to be drawn`, 60, () => page.evaluate('document.body?.dataset.drawn'));
  if (drawn !== 'yes') return { count: 0, faults: [`${name}: not drawn`, ...page.complaints] };
  const panels = await page.evaluate(`[...document.querySelectorAll('[data-panel]')].map((panel) => ({
    title: panel.dataset.panel, kind: panel.dataset.kind, state: panel.querySelector('[data-state]')?.dataset.state,
    text: panel.querySelector('[data-state]')?.innerText,
    cut: [...panel.querySelectorAll('h2, [role=grid]')].some((part) => part.scrollWidth > part.clientWidth),
  }))`);
  const height = await page.evaluate("document.getElementById('dashboard').offsetHeight");
  fs.writeFileSync(`work/${name}.png`, await page.picture(height));
  const { board } = JSON.parse(fs.readFileSync(`served/data/${name}.json`));
  const expected = board.panels.filter(({ type }) => type !== 'row');
  const faults = page.complaints.map((complaint) => `${name}: ${complaint}`);
  for (const { title, type } of expected) {
    const found = panels.find((panel) => panel.title === title && panel.kind === type);
    if (found?.state !== 'ok') faults.push(`${name}: "${title}" is ${found?.state ?? 'missing'}: ${found?.text ?? ''}`);
    if (found?.cut) faults.push(`${name}: the title or a column of "${title}" is cut off`);
  }
  await page.close();
  return { count: panels.length, faults };
}

if (!given.redraw) await gather();
await answers();
await bundle();
const server = await serve();
const chromium = new Chromium(path.join(tools, 'lib/chromium/chromium-headless-shell'), work, libraries);
let faults = [];
let count = 0;
for (const name of BOARDS) {
  const drawn = await draw(name, chromium, server.address().port);
  faults = faults.concat(drawn.faults);
  count += drawn.count;
}
const { faults: seen } = await draw('broken', chromium, server.address().port);
const caught = ['is empty', 'is failed: TypeError', 'colour is not known', 'is cut off'].filter((text) => seen.some((fault) => fault.includes(text)));
fs.rmSync('work/broken.png');
await chromium.close();
for (const fault of faults) console.error(fault);
console.log(`${count} panels of ${BOARDS.length} dashboards drawn, ${faults.length} faults; `
  + `${caught.length} of 4 found in a broken one`);
process.exit(faults.length === 0 && caught.length === 4 ? 0 : 1);
