'use strict';
// usage: server.js ADDRESS [PEM-FOLDER]; prints the port when it listens.
const { grpc, Echo, readPem, unlimited } = require('./echo.js');

const cancelled = new Map(); // id -> { done, resolve }

function cancellation(id) {
  if (!cancelled.has(id)) {
    const entry = {};
    entry.done = new Promise((resolve) => { entry.resolve = resolve; });
    cancelled.set(id, entry);
  }
  return cancelled.get(id);
}

function custom(metadata) {
  const result = new grpc.Metadata();
  for (const key of Object.keys(metadata.getMap())) {
    if (key.startsWith('x-')) {
      metadata.get(key).forEach((value) => result.add(key, value));
    }
  }
  return result;
}

function failTrailers() {
  const trailers = new grpc.Metadata();
  trailers.set('x-reason', 'asked');
  trailers.set('x-bytes-bin', Buffer.from([0x00, 0xff, 0x7f]));
  return trailers;
}

const service = {
  Unary(call, callback) {
    call.sendMetadata(custom(call.metadata));
    callback(null, call.request, custom(call.metadata));
  },
  Fail(call, callback) {
    callback({ code: call.request.code, details: call.request.detail, metadata: failTrailers() });
  },
  Wait(call) {
    call.on('cancelled', () => cancellation(call.request.id).resolve());
  },
  async AwaitCancellation(call, callback) {
    await cancellation(call.request.id).done;
    callback(null, { text: call.request.id });
  },
  ServerStream(call) {
    const { id, count, size, fail_code: failCode } = call.request;
    const data = Buffer.alloc(size);
    let number = 0;
    call.on('cancelled', () => cancellation(id).resolve());
    const write = () => {
      while (number < count && !call.cancelled) {
        if (!call.write({ number: number++, data })) {
          call.once('drain', write);
          return;
        }
      }
      if (failCode !== 0) {
        call.emit('error', { code: failCode, details: 'asked to fail', metadata: failTrailers() });
      } else {
        call.end();
      }
    };
    write();
  },
  ClientStream(call, callback) {
    let count = 0;
    let sum = 0;
    call.on('data', (message) => { count += 1; sum += message.number; });
    call.on('end', () => callback(null, { number: count, text: String(sum) }));
  },
  Duplex(call) {
    call.on('data', (message) => {
      if (!call.write(message)) {
        call.pause();
        call.once('drain', () => call.resume());
      }
    });
    call.on('end', () => call.end());
  },
};

const [address, pem] = process.argv.slice(2);
let credentials = grpc.ServerCredentials.createInsecure();
if (pem) {
  const { ca, cert, key } = readPem(pem, 'server');
  credentials = grpc.ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
}

const server = new grpc.Server(unlimited);
server.addService(Echo.service, service);
server.bindAsync(address, credentials, (error, port) => {
  if (error) {
    throw error;
  }
  console.log(`listening ${port}`);
});

// Ends with the tests, also when they die.
process.stdin.on('end', () => process.exit(0)).resume();
