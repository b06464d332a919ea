// Reads a product from DynamoDB in the API's format.
const { DynamoDBClient, GetItemCommand } = require('@aws-sdk/client-dynamodb');
const { unmarshall } = require('@aws-sdk/util-dynamodb');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const client = new DynamoDBClient({});

function get(pk, sk) {
  const Key = { pk: { S: pk }, sk: { S: sk } };
  return client.send(new GetItemCommand({ TableName: process.env.TABLE, Key }));
}

// Opens the connection during the start, as the shop's functions do.
exports.warmUp = () => get('-', '-');

exports.product = async (id) => {
  if (!UUID.test(id)) return undefined;
  const { Item } = await get(`PRODUCT#${id}`, 'PRODUCT');
  if (Item === undefined) return undefined;
  const item = unmarshall(Item, { wrapNumbers: false });
  return {
    id: item.id,
    name: item.name,
    description: item.description,
    price: item.price.amountMinor / 100,
    currency: item.price.currency,
    categoryId: item.category_id,
    stock: item.stock,
    tags: item.tags,
    active: item.active,
    createdAt: item.created_at,
    updatedAt: item.updated_at,
  };
};
