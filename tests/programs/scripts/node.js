/* SPDX-License-Identifier: MIT
 *
 * Objects and buffers, in the main thread and in workers; buffers that are handed from one thread
 * to another; the thread pool; a stream.
 */
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const assert = require('assert');
const crypto = require('crypto');
const zlib = require('zlib');

const ROUNDS = 10;
const sha = (data) => crypto.createHash('sha256').update(data).digest('hex');

function churn(seed) {
  const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % n;
  const live = new Map();
  for (let i = 0; i < 60000; i++) {
    const key = random(3000);
    if (live.delete(key)) continue;
    live.set(key, {
      text: 't'.repeat(random(400)),
      list: Array.from({ length: random(20) }, (_, k) => k * i),
      bytes: Buffer.alloc(random(5000), i & 255),
    });
  }
  return [...live].sort((a, b) => a[0] - b[0])
    .map(([key, value]) => [key, value.text, value.list, sha(value.bytes)]);
}

function work(seed) {
  const text = JSON.stringify(churn(seed));
  const packed = zlib.deflateSync(text);
  assert(zlib.inflateSync(packed).toString() === text);
  const quality = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } };
  const brotli = zlib.brotliCompressSync(text, quality);
  assert(zlib.brotliDecompressSync(brotli).toString() === text);
  const words = text.match(/t{3,9}"|\d+7\b/g).length;
  const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32, 1), Buffer.alloc(12, 2));
  const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
  return [sha(text), packed.length, brotli.length, words, sha(sealed)].join(' ');
}

function serve() {
  parentPort.on('message', ({ buffer, shared, round }) => {
    const bytes = new Uint8Array(buffer);
    for (let i = 0; i < bytes.length; i++) bytes[i] += round;
    Atomics.add(new Int32Array(shared), 0, bytes.length);
    const answer = round === 0 ? work(workerData.number) : '';
    parentPort.postMessage({ buffer, answer }, [buffer]);
    if (round === ROUNDS - 1) parentPort.close();
  });
}

function drive(number, shared) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { number } });
    const answers = [];
    let round = 0;
    const send = (buffer) => worker.postMessage({ buffer, shared, round: round++ }, [buffer]);
    worker.on('error', reject).on('exit', () => resolve(answers.join(' ')));
    worker.on('message', ({ buffer, answer }) => {
      answers.push(answer || sha(new Uint8Array(buffer)).slice(0, 8));
      if (round < ROUNDS) send(buffer);
    });
    send(new ArrayBuffer(100000 * number + 17));
  });
}

function deriveKey(salt) {
  return new Promise((resolve, reject) => {
    crypto.pbkdf2('secret', salt, 2000, 64, 'sha512',
      (error, key) => (error ? reject(error) : resolve(sha(key))));
  });
}

function streamedSize() {
  return new Promise((resolve) => {
    const stream = zlib.createGzip();
    let size = 0;
    stream.on('data', (part) => { size += part.length; }).on('end', () => resolve(size));
    for (let i = 0; i < 2000; i++) stream.write(`line ${(i * 7919) % 1009}\n`);
    stream.end();
  });
}

async function main() {
  const shared = new SharedArrayBuffer(1 << 16);
  console.log(work(99));
  for (let pass = 0; pass < 2; pass++) {
    const answers = await Promise.all([1, 2, 3, 4].map((number) => drive(number, shared)));
    console.log(answers.join('\n'));
  }
  console.log(new Int32Array(shared)[0]);
  console.log(await Promise.all(Array.from({ length: 16 }, (_, n) => deriveKey(`salt${n}`))));
  console.log(await streamedSize() > 1000);
}

if (isMainThread) main(); else serve();
