// One codec for each message. Codecs do not depend on each other as values, so a bundle has only those that it uses.
export * from '../generated/codecs.js';
