# SPDX-License-Identifier: MIT
"""node: objects and buffers in the main thread and in workers, which pass memory to each other."""

NEEDS = {"node": "nodejs"}
SERVED = ("node",)

SCRIPT = r"""
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto'), zlib = require('zlib'), assert = require('assert');
const sha = (data) => crypto.createHash('sha256').update(data).digest('hex');

function work(seed) {
  const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % n;
  const live = new Map();
  for (let i = 0; i < 60000; i++) {
    const key = random(3000);
    if (live.has(key)) live.delete(key);
    else live.set(key, { text: 't'.repeat(random(400)), list: Array.from({ length: random(20) }, (_, k) => k * i),
                         bytes: Buffer.alloc(random(5000), i & 255) });
  }
  const text = JSON.stringify([...live].sort((a, b) => a[0] - b[0]).map(([k, v]) => [k, v.text, v.list, sha(v.bytes)]));
  const packed = zlib.deflateSync(text), brotli = zlib.brotliCompressSync(text.slice(0, 200000),
    { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } });
  assert(zlib.inflateSync(packed).toString() === text);
  assert(zlib.brotliDecompressSync(brotli).toString() === text.slice(0, 200000));
  const words = text.match(/t{3,9}"|\d+7\b/g).length;
  const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32, 1), Buffer.alloc(12, 2));
  return [sha(text), packed.length, words, sha(Buffer.concat([cipher.update(text), cipher.final()]))].join(' ');
}

if (!isMainThread) {
  parentPort.on('message', ({ buffer, shared, round }) => {
    const bytes = new Uint8Array(buffer);
    for (let i = 0; i < bytes.length; i++) bytes[i] += round;
    Atomics.add(new Int32Array(shared), 0, bytes.length);
    parentPort.postMessage({ buffer, answer: round === 0 ? work(workerData.number) : '' }, [buffer]);
    if (round === 9) parentPort.close();
  });
} else {
  const shared = new SharedArrayBuffer(1 << 16);
  const drive = (number) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { number } });
    let round = 0, answers = [];
    worker.on('error', reject).on('exit', () => resolve(answers.join(' ')));
    const send = (buffer) => worker.postMessage({ buffer, shared, round: round++ }, [buffer]);
    worker.on('message', ({ buffer, answer }) => {
      answers.push(answer || sha(new Uint8Array(buffer)).slice(0, 8));
      if (round < 10) send(buffer);
    });
    send(new ArrayBuffer(100000 * number + 17));
  });
  (async () => {
    console.log(work(99));
    for (let pass = 0; pass < 2; pass++)
      console.log((await Promise.all([1, 2, 3, 4].map(drive))).join('\n'));
    console.log(new Int32Array(shared)[0]);
    const jobs = Array.from({ length: 16 }, (_, i) => new Promise((done, fail) =>
      crypto.pbkdf2('secret', 'salt' + i, 2000, 64, 'sha512', (error, key) => error ? fail(error) : done(sha(key)))));
    console.log(sha((await Promise.all(jobs)).join()));
    const stream = zlib.createGzip(); let size = 0;
    stream.on('data', (part) => { size += part.length; }).on('end', () => console.log(size > 1000));
    for (let i = 0; i < 2000; i++) stream.write('line ' + i * 7919 % 1009 + '\n');
    stream.end();
  })();
}
"""


def prepare(case):
    (case.inputs / "main.js").write_text(SCRIPT, encoding="utf-8")


def run(run):
    return {"output": run.command("node", run.inputs / "main.js")}
