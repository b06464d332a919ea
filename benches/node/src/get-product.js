// `GET /api/products/{id}` as a Lambda function.
const { performance } = require('node:perf_hooks');
const { run } = require('./runtime.js');
const { product, warmUp } = require('./products.js');
const { idsOf, body, headersOf, cacheable, log } = require('./reply.js');

run(async () => {
  await warmUp();
  return async (event) => {
    const started = performance.now();
    const ids = idsOf(event.headers);
    const found = await product(event.pathParameters.id);
    const statusCode = found === undefined ? 404 : 200;
    log({ function: 'get-product', method: 'GET', path: event.rawPath, status: statusCode, duration_ms: Math.trunc(performance.now() - started), request_id: ids.requestId, correlation_id: ids.correlationId });
    return { statusCode, headers: headersOf(ids, 'catalog', cacheable(found)), body: body(ids, 'product', found), isBase64Encoded: false };
  };
});
