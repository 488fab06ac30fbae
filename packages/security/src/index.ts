export * from './acls.js';
export * from './authorizer.js';
export * from './cram-md5.js';
export * from './credentials.js';
export * from './http-authentication.js';
export * from './jwt.js';
export * from './principal.js';
