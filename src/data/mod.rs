//! Sources, transforms, splits and batches.
