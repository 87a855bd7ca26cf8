// Plays eight days in some minutes: writes the logs, lets real exporters follow them, scrapes those
// once in each interval of the play, and puts the scrapes into a Prometheus store with the times of the play.
import fs from 'node:fs';
import path from 'node:path';
import { BEGIN, END, HOSTS, Host } from './traffic.mjs';
import { freePort, run, start, stop, waitFor } from './tools.mjs';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** How long until the next scrape: each panel's time has as fine ones as it can show. */
function interval(time) {
  if (time >= END - 7 * HOUR) return MINUTE;
  return time >= END - 26 * HOUR ? 2 * MINUTE : 10 * MINUTE;
}

export const JOB = 'mta_exporter';
export const instance = (host) => `${host.name}.example.com:10421`;

/** Gauges that tell times of the exporter's own clock, which runs with ours and not with the play. */
const OWN_CLOCK = /^(process_start_time_seconds|mta_config_last_reload_success_timestamp_seconds)/;

class Exporter {
  static async start(program, directory, host) {
    const exporter = new Exporter();
    exporter.port = await freePort();
    exporter.host = host;
    exporter.begun = Date.now() / 1000;
    const state = `${directory}/state-${host.name}`;
    fs.mkdirSync(state, { recursive: true });
    const config = `${directory}/${host.name}.toml`;
    fs.writeFileSync(config, `[web]\nlisten_addresses = ["127.0.0.1:${exporter.port}"]\n`
      + `[state]\ndirectory = "${state}"\n[[sources]]\nname = "mail"\npath = "${host.path}"\n`);
    exporter.process = start(program, [`--config.file=${config}`], `${directory}/${host.name}.said`);
    await waitFor(`the exporter of ${host.name}`, 20, () => exporter.ask());
    return exporter;
  }

  async ask() {
    const answer = await fetch(`http://127.0.0.1:${this.port}/metrics`);
    return answer.ok ? answer.text() : null;
  }

  /** A scrape that has read all that was written. */
  async scrape() {
    const everything = `mta_source_read_bytes_total{source="mail"} ${this.host.written}\n`;
    return waitFor(`${this.host.name} to have read ${this.host.written} bytes`, 20, async () => {
      const text = await this.ask();
      return text?.includes(everything) && text;
    });
  }

  /** The samples of a scrape with the labels of the target and the time of the play. */
  async samples(time) {
    const target = `job="${JOB}",instance="${instance(this.host)}"`;
    const stamp = time / 1000;
    const lines = [`up{${target}} 1 ${stamp}`];
    for (const line of (await this.scrape()).split('\n')) {
      if (!line || line.startsWith('#')) continue;
      const space = line.lastIndexOf(' ');
      let value = line.slice(space + 1);
      if (OWN_CLOCK.test(line)) value = BEGIN / 1000 + (value - this.begun);
      const series = line.slice(0, space);
      const named = series.endsWith('}')
        ? `${series.slice(0, series.indexOf('{') + 1)}${target},${series.slice(series.indexOf('{') + 1)}`
        : `${series}{${target}}`;
      lines.push(`${named} ${value} ${stamp}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

/** Fills the store; the programs are paths. */
export async function play({ exporter: program, promtool, directory, store }) {
  const memory = fs.mkdtempSync(fs.existsSync('/dev/shm') ? '/dev/shm/mta-pictures-' : path.join(directory, 'logs-'));
  process.on('exit', () => fs.rmSync(memory, { recursive: true, force: true }));
  const hosts = HOSTS.map((_, index) => new Host(memory, index));
  const exporters = await Promise.all(hosts.map((host) => Exporter.start(program, memory, host)));
  // A series that is new is shown as 0 for its first minute, and a minute is long in the play: so
  // everything that will be said is said once before, and that minute is waited for.
  for (const host of hosts) host.begin();
  await waitFor('the first minute of all series', 90, async () => {
    const texts = await Promise.all(exporters.map((exporter) => exporter.scrape()));
    return texts.every((text) => !/^mta_enhanced_replies_total\{.*\} 0$/m.test(text));
  });
  const file = fs.openSync(`${directory}/scrapes.txt`, 'w');
  const begun = Date.now();
  let scrapes = 0;
  let samples = 0;
  for (let time = BEGIN; time < END;) {
    const next = Math.min(time + interval(time), END);
    for (const host of hosts) {
      const [hour, minute] = [new Date(next).getUTCHours(), new Date(next).getUTCMinutes()];
      if (hour === 6 && minute >= 25 && next - host.rotated > 12 * 60 * MINUTE) {
        host.rotate();
        host.rotated = next;
      }
      host.live(time, next);
    }
    const texts = await Promise.all(exporters.map((exporter) => exporter.samples(next)));
    for (const text of texts) {
      fs.writeSync(file, text);
      samples += text.split('\n').length - 1;
    }
    scrapes += 1;
    time = next;
  }
  fs.writeSync(file, '# EOF\n');
  fs.closeSync(file);
  await Promise.all(exporters.map((exporter) => stop(exporter.process)));
  const messages = hosts.reduce((sum, host) => sum + host.messages, 0);
  console.log(`${messages} messages of ${hosts.length} hosts, ${scrapes} scrapes of each, ${samples} samples, in ${Math.round((Date.now() - begun) / 1000)} s`);
  await fill(promtool, `${directory}/scrapes.txt`, store);
}

/** Puts samples with times into the store. */
export async function fill(promtool, file, store) {
  await run(promtool, ['tsdb', 'create-blocks-from', '--max-block-duration=162h', 'openmetrics', file, store]);
  fs.rmSync(file);
}
