const gmr = require('gmr-conv');
const { train } = require('./train.mjs');

void train(gmr).then(console.log);
