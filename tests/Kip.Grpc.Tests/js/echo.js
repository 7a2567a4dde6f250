'use strict';
// What client and server share: the service definition and credentials from PEM files.
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

// The packages live in a cache outside the source tree; NODE_PACKAGES names it.
const load = createRequire(path.join(process.env.NODE_PACKAGES, 'package.json'));
const grpc = load('@grpc/grpc-js');
const loader = load('@grpc/proto-loader');

const definition = loader.loadSync(path.join(__dirname, 'echo.proto'), { longs: Number, keepCase: true, defaults: true });
const { Echo } = grpc.loadPackageDefinition(definition).kip.grpc.tests;

// pem: a folder with ca.pem, NAME.pem and NAME.key; absent for plain text.
function readPem(folder, name) {
  const read = (file) => fs.readFileSync(path.join(folder, file));
  return { ca: read('ca.pem'), cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

module.exports = { grpc, Echo, readPem, unlimited };
