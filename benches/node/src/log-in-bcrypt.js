// With bcrypt at cost 12, as the classic stack has it. The table holds an
// Argon2id hash: it is read all the same, and this one compared instead.
const bcrypt = require('bcrypt');
const { serve } = require('./log-in.js');

const HASH = '$2b$12$QHi0TEbybZ.8dYQQW5OonuAad3CdRWNDCWkQlsTjMUhERadgR.Imi';

serve((_, password) => bcrypt.compare(password, HASH));
