// A headless Chromium, spoken to over its pipe (the DevTools protocol).
import { spawn } from 'node:child_process';
import fs from 'node:fs';

export class Chromium {
  constructor(program, directory, libraries) {
    const options = [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--force-color-profile=srgb',
      '--font-render-hinting=none', `--user-data-dir=${directory}/chromium`, '--remote-debugging-pipe', 'about:blank',
    ];
    const log = fs.openSync(`${directory}/chromium.said`, 'w');
    this.process = spawn(program, options, {
      stdio: ['ignore', log, log, 'pipe', 'pipe'],
      env: { ...process.env, LD_LIBRARY_PATH: libraries, TZ: 'UTC', HOME: directory },
    });
    process.on('exit', () => this.process.kill('SIGKILL'));
    this.waiting = new Map();
    this.listeners = [];
    this.asked = 0;
    let unread = '';
    this.process.stdio[4].setEncoding('utf8').on('data', (text) => {
      const messages = (unread + text).split('\0');
      unread = messages.pop();
      for (const message of messages) this.take(JSON.parse(message));
    });
    this.process.on('exit', (code) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`chromium ended with ${code}; see ${directory}/chromium.said`));
    });
  }

  take(message) {
    const waiting = this.waiting.get(message.id);
    if (waiting) {
      this.waiting.delete(message.id);
      if (message.error) waiting.reject(new Error(message.error.message));
      else waiting.resolve(message.result);
    } else {
      for (const listener of this.listeners) listener(message);
    }
  }

  send(method, params = {}, sessionId = undefined) {
    this.asked += 1;
    const id = this.asked;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  /** A page of that width: what it complained of, and how to ask it. `now` is the time that it has. */
  async page(url, width, now) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const send = (method, params) => this.send(method, params, sessionId);
    const complaints = [];
    this.listeners.push(({ sessionId: from, method, params }) => {
      if (from !== sessionId) return;
      if (method === 'Runtime.exceptionThrown') complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === 'Runtime.consoleAPICalled' && params.type === 'error') {
        complaints.push(params.args.map(({ value, description }) => value ?? description).join(' '));
      }
      if (method === 'Log.entryAdded' && params.entry.level === 'error') complaints.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    });
    for (const part of ['Runtime', 'Log', 'Page']) await send(`${part}.enable`);
    await send('Page.addScriptToEvaluateOnNewDocument', { source: `Date.now = () => ${now};` });
    await send('Emulation.setDeviceMetricsOverride', { width, height: 2000, deviceScaleFactor: 1, mobile: false });
    await send('Page.navigate', { url });
    const evaluate = async (expression) => (await send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })).result.value;
    const picture = async (height) => {
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(data, 'base64');
    };
    return { complaints, evaluate, picture, close: () => this.send('Target.closeTarget', { targetId }) };
  }

  async close() {
    await this.send('Browser.close').catch(() => null);
  }
}
