// One codec a message. Each stands alone, so that a bundle holds only those it uses.
export * from '../generated/codecs.js';
