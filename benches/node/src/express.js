// `GET /api/products/:id` as a conventional server.
const { performance } = require('node:perf_hooks');
const express = require('express');
const { product, warmUp } = require('./products.js');
const { idsOf, body, headersOf, cacheable, log } = require('./reply.js');

const app = express();
// headersOf sets this header already, as in the function.
app.disable('etag');
app.disable('x-powered-by');
app.get('/api/products/:id', async (request, response) => {
  const started = performance.now();
  const ids = idsOf(request.headers);
  const found = await product(request.params.id);
  const status = found === undefined ? 404 : 200;
  log({ function: 'get-product', method: 'GET', path: request.path, status, duration_ms: Math.trunc(performance.now() - started), request_id: ids.requestId, correlation_id: ids.correlationId });
  response.status(status).set(headersOf(ids, 'catalog', cacheable(found))).send(body(ids, 'product', found));
});

warmUp().then(() => app.listen(Number(process.env.PORT), '127.0.0.1'));
