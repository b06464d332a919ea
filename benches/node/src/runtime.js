// The loop of a Lambda runtime over one persistent connection. AWS's own
// (aws-lambda-ric) has a native client that needs cmake to build; this one does
// less work, which favours the peers.
const http = require('node:http');

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function request(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = http.request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}`, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

exports.run = async (start) => {
  const handler = await start();
  for (;;) {
    const invocation = await request('GET', 'invocation/next');
    const id = invocation.headers['lambda-runtime-aws-request-id'];
    process.env._X_AMZN_TRACE_ID = invocation.headers['lambda-runtime-trace-id'];
    try {
      const reply = await handler(JSON.parse(invocation.body));
      await request('POST', `invocation/${id}/response`, JSON.stringify(reply));
    } catch (error) {
      await request('POST', `invocation/${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
    }
  }
};
