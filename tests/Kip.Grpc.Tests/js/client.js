'use strict';
// usage: client.js ADDRESS SCENARIO [PEM-FOLDER]; exits 0 when the scenario went as it should.
const assert = require('assert');
const { grpc, Echo, readPem, unlimited } = require('./echo.js');

const [address, scenario, pem] = process.argv.slice(2);
let credentials = grpc.credentials.createInsecure();
if (pem) {
  const { ca, cert, key } = readPem(pem, 'client');
  credentials = grpc.credentials.createSsl(ca, key, cert);
}
const client = new Echo(address, credentials, unlimited);

function unary(method, request, metadata = new grpc.Metadata(), options = {}) {
  return new Promise((resolve) => {
    const result = {};
    const call = client[method](request, metadata, options, (error, response) => { Object.assign(result, { error, response }); });
    call.on('metadata', (headers) => { result.headers = headers; });
    call.on('status', (status) => { result.status = status; resolve(result); });
    result.call = call;
  });
}

function collect(call) {
  return new Promise((resolve) => {
    const result = { messages: [] };
    call.on('data', (message) => result.messages.push(message));
    call.on('error', () => {}); // the status says it
    call.on('status', (status) => { result.status = status; resolve(result); });
  });
}

async function assertCancelled(id) {
  const { response } = await unary('AwaitCancellation', { id });
  assert.strictEqual(response.text, id);
}

const scenarios = {
  async unary() {
    const { response } = await unary('Unary', { text: 'héllo', number: 7, data: Buffer.from([1, 2]) });
    assert.strictEqual(response.text, 'héllo');
    assert.strictEqual(response.number, 7);
    assert.deepStrictEqual([...response.data], [1, 2]);
  },
  async empty() {
    const { response } = await unary('Unary', {});
    assert.strictEqual(response.text, '');
  },
  async large() {
    const data = Buffer.alloc(3 * 1024 * 1024, 0x5a);
    const { response } = await unary('Unary', { data });
    assert.ok(response.data.equals(data));
  },
  async tooLarge() {
    const { status } = await unary('Unary', { data: Buffer.alloc(5 * 1024 * 1024) });
    assert.strictEqual(status.code, grpc.status.RESOURCE_EXHAUSTED);
  },
  async fail() {
    const { status } = await unary('Fail', { code: 5, detail: 'pod “näme” not found: 100%' });
    assert.strictEqual(status.code, grpc.status.NOT_FOUND);
    assert.strictEqual(status.details, 'pod “näme” not found: 100%');
    assert.deepStrictEqual(status.metadata.get('x-reason'), ['asked']);
    assert.deepStrictEqual([...status.metadata.get('x-bytes-bin')[0]], [0x00, 0xff, 0x7f]);
  },
  async unimplemented() {
    const { code } = await new Promise((resolve) => {
      client.makeUnaryRequest('/kip.grpc.tests.Echo/Nope', (x) => x, (x) => x, Buffer.alloc(0), resolve);
    });
    assert.strictEqual(code, grpc.status.UNIMPLEMENTED);
  },
  async metadata() {
    const metadata = new grpc.Metadata();
    metadata.set('x-text', 'some text');
    metadata.add('x-many', 'a');
    metadata.add('x-many', 'b');
    metadata.set('x-raw-bin', Buffer.from([0, 1, 254, 255]));
    const { headers, status } = await unary('Unary', {}, metadata);
    for (const got of [headers, status.metadata]) {
      assert.deepStrictEqual(got.get('x-text'), ['some text']);
      assert.strictEqual(got.get('x-many').join(', '), 'a, b');
      assert.deepStrictEqual([...got.get('x-raw-bin')[0]], [0, 1, 254, 255]);
    }
  },
  async deadline() {
    const id = `deadline-${process.pid}`;
    const { status } = await unary('Wait', { id }, new grpc.Metadata(), { deadline: Date.now() + 300 });
    assert.strictEqual(status.code, grpc.status.DEADLINE_EXCEEDED);
    await assertCancelled(id);
  },
  async cancel() {
    const id = `cancel-${process.pid}`;
    const call = client.ServerStream({ id, count: 1000000000, size: 1024 });
    let count = 0;
    call.on('data', () => { count += 1; if (count === 10) call.cancel(); });
    const { status } = await collect(call);
    assert.strictEqual(status.code, grpc.status.CANCELLED);
    await assertCancelled(id);
  },
  async serverStream() {
    const { messages, status } = await collect(client.ServerStream({ count: 2000, size: 5000 }));
    assert.strictEqual(status.code, grpc.status.OK);
    assert.strictEqual(messages.length, 2000);
    messages.forEach((message, index) => assert.strictEqual(message.number, index));
  },
  async serverStreamFails() {
    const { messages, status } = await collect(client.ServerStream({ count: 3, fail_code: 9 }));
    assert.strictEqual(messages.length, 3);
    assert.strictEqual(status.code, grpc.status.FAILED_PRECONDITION);
    assert.deepStrictEqual(status.metadata.get('x-reason'), ['asked']);
  },
  async clientStream() {
    const response = await new Promise((resolve, reject) => {
      const call = client.ClientStream((error, message) => (error ? reject(error) : resolve(message)));
      for (let number = 1; number <= 1000; number++) {
        call.write({ number });
      }
      call.end();
    });
    assert.strictEqual(response.number, 1000);
    assert.strictEqual(response.text, '500500');
  },
  async duplex() {
    const call = client.Duplex();
    const seen = [];
    const done = collect(call);
    call.on('data', (message) => {
      seen.push(message.number);
      if (message.number < 99) {
        call.write({ number: message.number + 1 }); // only after the answer to the one before
      } else {
        call.end();
      }
    });
    call.write({ number: 0 });
    const { status } = await done;
    assert.strictEqual(status.code, grpc.status.OK);
    assert.strictEqual(seen.length, 100);
  },
};

scenarios[scenario]().then(
  () => client.close(),
  (error) => { console.error(error); process.exit(1); },
);
