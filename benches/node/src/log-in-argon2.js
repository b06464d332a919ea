// With the shop's own hash and parameters.
const argon2 = require('argon2');
const { serve } = require('./log-in.js');

serve((hash, password) => argon2.verify(hash, password));
