// `POST /api/auth/login` as a Lambda function, with the reads, the hash, the
// write and the token of the shop's own.
const { createHash, createPrivateKey, createPublicKey, hkdfSync, randomBytes, randomUUID, sign } = require('node:crypto');
const { performance } = require('node:perf_hooks');
const { BatchGetItemCommand, DynamoDBClient, GetItemCommand, QueryCommand, TransactWriteItemsCommand, UpdateItemCommand } = require('@aws-sdk/client-dynamodb');
const { GetSecretValueCommand, SecretsManagerClient } = require('@aws-sdk/client-secrets-manager');
const { marshall, unmarshall } = require('@aws-sdk/util-dynamodb');
const { run } = require('./runtime.js');
const { idsOf, body, headersOf, log } = require('./reply.js');

const TableName = process.env.TABLE;
const ACCESS_SECONDS = 600;
const SESSION_SECONDS = 14 * 24 * 3600;
const SESSIONS_MAX = 20;
// What precedes the seed in a PKCS #8 Ed25519 key (RFC 8410).
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

const dynamodb = new DynamoDBClient({});
const secrets = new SecretsManagerClient({});
const json64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

async function signingKey() {
  const read = (VersionStage) => secrets.send(new GetSecretValueCommand({ SecretId: process.env.AUTH_SECRET, VersionStage }));
  const [current] = await Promise.all([read('AWSCURRENT'), read('AWSPREVIOUS').catch(() => undefined)]);
  const seed = Buffer.from(hkdfSync('sha256', current.SecretString, '', 'emporium/access-token/ed25519', 32));
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const x = createPublicKey(key).export({ format: 'jwk' }).x;
  return { key, kid: createHash('sha256').update(Buffer.from(x, 'base64url')).digest().subarray(0, 12).toString('base64url') };
}

function accessToken({ key, kid }, user, session, now) {
  const iat = Math.trunc(now.getTime() / 1000);
  const claims = { iss: process.env.TOKEN_ISSUER, aud: 'emporium-api', exp: iat + ACCESS_SECONDS, iat, sub: user.id, sid: session.id, role: user.role, jti: randomUUID() };
  const text = `${json64({ typ: 'at+jwt', alg: 'EdDSA', kid })}.${json64(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

async function candidate(email) {
  const key = (pk, sk) => ({ pk: { S: pk }, sk: { S: sk } });
  const Keys = [key(`EMAIL#${email}`, 'EMAIL'), key(`ATTEMPTS#${sha256(email)}`, 'ATTEMPTS')];
  const found = await dynamodb.send(new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys, ConsistentRead: true } } }));
  const items = found.Responses[TableName].map((item) => unmarshall(item));
  const owner = items.find((item) => item.sk === 'EMAIL')?.owner_id ?? '00000000-0000-0000-0000-000000000000';
  const account = await dynamodb.send(new QueryCommand({
    TableName, ConsistentRead: true,
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :first AND :last',
    ExpressionAttributeValues: marshall({ ':pk': `USER#${owner}`, ':first': 'SESSION#', ':last': 'USER' }),
  }));
  const rows = account.Items.map((item) => unmarshall(item));
  const sessions = rows.filter((item) => item.sk.startsWith('SESSION#')).sort((a, b) => a.refreshed_at.localeCompare(b.refreshed_at));
  return { user: rows.find((item) => item.sk === 'USER'), superseded: sessions.slice(0, Math.max(0, sessions.length + 1 - SESSIONS_MAX)), locked: items.some((item) => item.sk === 'ATTEMPTS' && item.failures.length >= 5) };
}

// Counts a request from an address, with a fixed window: the shop's own window
// slides, which is more work.
function count(ip) {
  const Key = marshall({ pk: `LIMIT#peer#${sha256(ip)}`, sk: 'LIMIT' });
  return dynamodb.send(new UpdateItemCommand({ TableName, Key, UpdateExpression: 'ADD hits :one', ExpressionAttributeValues: marshall({ ':one': 1 }), ReturnValues: 'ALL_NEW' }));
}

async function store(user, session, superseded, now, ip) {
  const item = { pk: `USER#${user.id}`, sk: `SESSION#${session.id}`, ...session, expires_at: Math.trunc(now.getTime() / 1000) + SESSION_SECONDS };
  const values = { ':now': session.created_at, ':ip': ip, ':hash': user.password_hash, ':status': user.status, ':seen': user.password_hash, ':epoch': session.epoch, ':ins': user.sign_ins, ':next': user.sign_ins + 1 };
  await dynamodb.send(new TransactWriteItemsCommand({
    ClientRequestToken: randomUUID(),
    TransactItems: [
      { Put: { TableName, Item: marshall(item), ConditionExpression: 'attribute_not_exists(pk)' } },
      { Update: {
        TableName, Key: marshall({ pk: `USER#${user.id}`, sk: 'USER' }),
        UpdateExpression: 'SET last_login_at = :now, last_login_ip = :ip, password_hash = :hash, sign_ins = :next',
        ConditionExpression: '#status = :status AND password_hash = :seen AND session_epoch = :epoch AND sign_ins = :ins',
        ExpressionAttributeNames: { '#status': 'status' }, ExpressionAttributeValues: marshall(values),
      } },
      { Delete: { TableName, Key: marshall({ pk: `ATTEMPTS#${sha256(user.email)}`, sk: 'ATTEMPTS' }), ConditionExpression: 'attribute_not_exists(pk) OR size(failures) < :most', ExpressionAttributeValues: marshall({ ':most': 5 }) } },
      ...superseded.map(({ pk, sk }) => ({ Delete: { TableName, Key: marshall({ pk, sk }) } })),
    ],
  }));
}

// `verify` receives the hash from the table and the password.
exports.serve = (verify) => run(async () => {
  const warmUp = dynamodb.send(new GetItemCommand({ TableName, Key: { pk: { S: '-' }, sk: { S: '-' } } }));
  const [signer] = await Promise.all([signingKey(), warmUp]);
  return async (event) => {
    const started = performance.now();
    const ids = idsOf(event.headers);
    const input = JSON.parse(event.body);
    if (typeof input.email !== 'string' || typeof input.password !== 'string') throw new Error('invalid input');
    const email = input.email.trim().toLowerCase();
    await count(event.requestContext.http.sourceIp);
    const { user, superseded, locked } = await candidate(email);
    if (!user || !(await verify(user.password_hash, input.password)) || user.status !== 'active' || locked) throw new Error('invalid credentials');
    const now = new Date();
    const secret = randomBytes(32).toString('base64url');
    const session = { id: randomUUID(), user_id: user.id, refresh_hash: sha256(secret), created_at: now.toISOString(), refreshed_at: now.toISOString(), epoch: user.session_epoch };
    await store(user, session, superseded, now, event.requestContext.http.sourceIp);
    const data = {
      user: { id: user.id, email: user.email, name: user.name, phone: user.phone, role: user.role, status: user.status, emailVerified: user.email_verified, createdAt: user.created_at },
      token: accessToken(signer, user, session, now),
      refreshToken: `${session.id}.${secret}`,
      expiresIn: ACCESS_SECONDS,
      tokenType: 'Bearer',
    };
    log({ function: 'log-in', method: 'POST', path: event.rawPath, status: 200, duration_ms: Math.trunc(performance.now() - started), request_id: ids.requestId, correlation_id: ids.correlationId });
    return { statusCode: 200, headers: headersOf(ids, 'users', {}), body: body(ids, 'signed in', data), isBase64Encoded: false };
  };
});
