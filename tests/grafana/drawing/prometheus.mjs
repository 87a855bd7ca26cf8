// A Prometheus over a finished store, and what its rules would have recorded and raised in it.
import fs from 'node:fs';
import { fill } from './play.mjs';
import { freePort, run, start, stop, waitFor } from './tools.mjs';
import { END } from './traffic.mjs';

const HOUR = 3600;

export class Prometheus {
  static async start(program, directory, store) {
    const port = await freePort();
    const config = `${directory}/prometheus.yml`;
    fs.writeFileSync(config, 'global: {}\n');
    const server = new Prometheus();
    server.url = `http://127.0.0.1:${port}`;
    server.process = start(program, [
      `--config.file=${config}`, `--storage.tsdb.path=${store}`, `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.retention.time=10y', '--log.level=warn',
    ], `${directory}/prometheus.said`);
    await waitFor('Prometheus', 60, async () => (await fetch(`${server.url}/-/ready`)).ok);
    return server;
  }

  stop() { return stop(this.process); }

  async api(path, form) {
    const answer = await fetch(`${this.url}/api/v1/${path}`, path.startsWith('query')
      ? { method: 'POST', body: new URLSearchParams(form) } : {});
    const { status, data, error } = await answer.json();
    if (status !== 'success') throw new Error(`${path} ${JSON.stringify(form)}: ${error}`);
    return data;
  }

  async instant(query, time) { return (await this.api('query', { query, time })).result; }

  async range(query, start, end, step) {
    return (await this.api('query_range', { query, start, end, step })).result;
  }

  async labelValues(label, selector) {
    return this.api(`label/${label}/values?${new URLSearchParams({ 'match[]': selector })}`);
  }
}

/** Records what the recording rules say of the finely scraped day. */
export async function record(server, promtool, rules, directory, store) {
  const [from, to] = [END / 1000 - 25 * HOUR, END / 1000];
  const blocks = `${directory}/recorded`;
  await run(promtool, ['tsdb', 'create-blocks-from', 'rules', `--start=${from}`, `--end=${to}`,
    '--eval-interval=1m', `--url=${server.url}`, `--output-dir=${blocks}`, rules]);
  for (const block of fs.readdirSync(blocks)) fs.renameSync(`${blocks}/${block}`, `${store}/${block}`);
}

/** Raises the alerts of that day: their expressions are asked minute by minute, and `for` and
 * `keep_firing_for` counted as Prometheus counts them. (Prometheus evaluates alerts of the present only.) */
export async function raise(server, groups, promtool, directory, store) {
  const [from, to] = [END / 1000 - 24 * HOUR, END / 1000];
  const lines = [];
  const firing = new Set();
  for (const rule of groups.flatMap((group) => group.rules).filter((rule) => rule.alert)) {
    for (const { metric, values } of await server.range(rule.expr, from, to, 60)) {
      const labels = { ...metric, ...rule.labels, alertname: rule.alert };
      delete labels.__name__;
      const text = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',');
      for (const [time, state, since] of states(rule, values.map(([time]) => time), to)) {
        lines.push(`ALERTS{${text},alertstate="${state}"} 1 ${time}`);
        lines.push(`ALERTS_FOR_STATE{${text}} ${since} ${time}`);
        if (state === 'firing' && time === to) firing.add(`${rule.alert} ${labels.provider ?? labels.instance ?? ''}`.trim());
      }
    }
  }
  const file = `${directory}/alerts.txt`;
  fs.writeFileSync(file, `${lines.sort().join('\n')}\n# EOF\n`);
  await fill(promtool, file, store);
  return [...firing].sort();
}

/** `[time, state, since]` of each minute in which an alert waits or fires. */
function* states(rule, active, end) {
  const patience = seconds(rule.for);
  const keep = seconds(rule.keep_firing_for);
  const times = new Set(active);
  let since = null;
  let last = null;
  let fires = false;
  for (let time = active[0]; time <= end; time += 60) {
    if (times.has(time)) {
      since ??= time;
      last = time;
      fires ||= time - since >= patience;
    } else if (!fires || time - last >= keep) {
      since = null;
      fires = false;
      continue;
    }
    yield [time, fires ? 'firing' : 'pending', since];
  }
}

function seconds(duration) {
  if (!duration) return 0;
  const [, count, unit] = /^(\d+)([smhd])$/.exec(duration);
  return count * { s: 1, m: 60, h: 3600, d: 86400 }[unit];
}
