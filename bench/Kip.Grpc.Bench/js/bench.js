'use strict';
// usage: bench.js server PEM-FOLDER | bench.js client PORT PEM-FOLDER SECONDS; the twin of Measurement.cs
const { grpc, Echo, readPem, unlimited } = require('./echo.js');

const concurrency = 32;
const request = { text: 'x'.repeat(100), number: 42 };

function serve(pem) {
  const { ca, cert, key } = readPem(pem, 'server');
  const credentials = grpc.ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
  const server = new grpc.Server(unlimited);
  server.addService(Echo.service, { Unary: (call, callback) => callback(null, call.request) });
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => console.log(error || port));
  process.stdin.on('end', () => process.exit(0)).resume();
}

async function measure(port, pem, seconds) {
  const { ca, cert, key } = readPem(pem, 'client');
  const client = new Echo(`127.0.0.1:${port}`, grpc.credentials.createSsl(ca, key, cert), unlimited);
  const call = () => new Promise((resolve, reject) => {
    client.Unary(request, (error, response) => (error ? reject(error) : resolve(response)));
  });
  const now = () => Number(process.hrtime.bigint()) / 1e9;
  const serial = async (duration) => {
    const latencies = [];
    for (let start = now(), end = start + duration; start < end;) {
      await call();
      const done = now();
      latencies.push((done - start) * 1e6);
      start = done;
    }
    return latencies.sort((a, b) => a - b);
  };
  const parallel = async (duration) => {
    let calls = 0;
    const start = now();
    const worker = async () => {
      while (now() < start + duration) {
        await call();
        calls += 1;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return calls / (now() - start);
  };

  await serial(seconds / 2);
  await parallel(seconds / 2);
  const latencies = await serial(seconds);
  const callsPerSecond = await parallel(seconds);
  const at = (quantile) => latencies[Math.floor((latencies.length - 1) * quantile)];
  console.log([at(0.5), at(0.99), callsPerSecond].join(' '));
  client.close();
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'server') {
  serve(rest[0]);
} else {
  measure(rest[0], rest[1], Number(rest[2])).catch((error) => { console.error(error); process.exit(1); });
}
