// The spare bytes at the end of a store's file (ENVIRONMENT-4, ENVIRONMENT-5): which writes have room, and when the bytes
// are made anew. Reading the sizes costs more than a small write, so what was read is reckoned with as long as it can be.

/** The store's file and its disk. */
export interface SpareFile {
  /** Up to the end of the last page. */
  usedBytes(): number;
  sizeBytes(): number;
  /** On the disk, for anyone. */
  freeBytes(): number;
  /** Writes zeros behind the file's end until it has this size; less on a full disk. */
  extendTo(sizeBytes: number): void;
}

export interface SpareRoom {
  /** Makes the spare bytes anew when half of them are used; false while the disk has no room for them. */
  keep(): boolean;
  /** Whether a transaction that follows has so many bytes: behind the last page, or on a disk with room to spare. */
  take(bytes: number): boolean;
}

/** A disk that has so many times the spare bytes free is not about to be full: LMDB may make the file larger by itself. */
const MARGIN = 16;

export function createSpareRoom(file: SpareFile, spareBytes: number): SpareRoom {
  /** Behind the last page, at least: what transactions have taken at most is off. */
  let leftBytes = 0;
  /** What the disk itself was seen to have: good until the spare bytes are looked for again. */
  let diskBytes = 0;

  const look = (): void => {
    leftBytes = file.sizeBytes() - file.usedBytes();
  };
  const extend = (wantedBytes: number): void => {
    file.extendTo(file.usedBytes() + wantedBytes);
    look();
  };
  return {
    keep() {
      diskBytes = 0;
      if (leftBytes < spareBytes / 2) look();
      if (leftBytes < spareBytes / 2) extend(spareBytes);
      return leftBytes >= spareBytes / 2;
    },
    take(bytes) {
      if (leftBytes < bytes && diskBytes < bytes) look();
      if (leftBytes < bytes && diskBytes < bytes) {
        if (file.freeBytes() >= bytes + MARGIN * spareBytes) diskBytes = Math.max(bytes, spareBytes);
        else extend(Math.max(bytes, spareBytes));
      }
      if (leftBytes >= bytes) leftBytes -= bytes;
      else if (diskBytes >= bytes) {
        diskBytes -= bytes;
        // LMDB uses the spare bytes first.
        leftBytes = 0;
      } else return false;
      return true;
    },
  };
}
