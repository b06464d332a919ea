// What every function of the shop does around its handler: ids, envelope,
// headers and the log line.
const { createHash, randomUUID } = require('node:crypto');

const FIXED = {
  'x-content-type-options': 'nosniff',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-version': '0.1.0',
};

function idsOf(headers) {
  return { requestId: randomUUID(), correlationId: headers['x-correlation-id'] ?? randomUUID() };
}

function body(ids, message, data) {
  return JSON.stringify({ success: true, message, data, meta: { requestId: ids.requestId } });
}

function headersOf(ids, service, more) {
  return {
    ...FIXED,
    'content-type': 'application/json',
    'x-request-id': ids.requestId,
    'x-correlation-id': ids.correlationId,
    'x-service': service,
    'cache-control': 'no-store',
    ...more,
  };
}

function cacheable(data) {
  const tag = createHash('sha256').update(JSON.stringify(data)).digest().subarray(0, 12).toString('base64url');
  return { etag: `W/"${tag}"`, 'cache-control': 'public, no-cache' };
}

function log(fields) {
  process.stderr.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level: 'INFO', ...fields, message: 'request' })}\n`);
}

module.exports = { idsOf, body, headersOf, cacheable, log };
