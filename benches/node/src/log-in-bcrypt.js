// With bcrypt at cost 12, the usual choice in Node. The table holds an Argon2id
// hash: it is read nevertheless, and this one is compared instead.
const bcrypt = require('bcrypt');
const { serve } = require('./log-in.js');

const HASH = '$2b$12$QHi0TEbybZ.8dYQQW5OonuAad3CdRWNDCWkQlsTjMUhERadgR.Imi';

serve((_, password) => bcrypt.compare(password, HASH));
