/** What the configuration says about storing: a leaf of store/, read by append, open and the sweep. 0 = unlimited everywhere. */
export interface StorePolicy {
  messageTtlSec: number;
  unstoredTtlSec: number;
  maxStoredPerChannel: number;
  channelInactivitySec: number;
  maxChannels: number;
}
