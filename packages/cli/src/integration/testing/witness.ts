// A framework that subscribes, runs one task and stays: what hostile calls must leave alone, and speak in the name of.
import { request } from 'node:http';
import { createRecordReader } from '@meseta/wire/recordio';
