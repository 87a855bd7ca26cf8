// Programs that run while the pictures are made, and how to wait for them.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { promisify } from 'node:util';

const running = new Set();
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** Starts a program that ends with this one at the latest; what it says goes to a file. */
export function start(program, options, said, more = {}) {
  const log = fs.openSync(said, 'w');
  const child = spawn(program, options, { stdio: ['ignore', log, log], ...more });
  running.add(child);
  child.stopped = new Promise((resolve) => child.on('exit', () => { running.delete(child); resolve(); }));
  child.on('error', (error) => { throw error; });
  return child;
}

export async function stop(child) {
  child.kill('SIGTERM');
  await child.stopped;
}

/** Runs a program to its end; what it printed. */
export async function run(program, options, more = {}) {
  const { stdout } = await promisify(execFile)(program, options, { maxBuffer: 1 << 28, ...more });
  return stdout;
}

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Asks until the answer is true, for so many seconds at most. */
export async function waitFor(what, seconds, ask) {
  const begun = Date.now();
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer) return answer;
    if (Date.now() - begun > seconds * 1000) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
