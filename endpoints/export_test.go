package endpoints

// SetPosition lets the ring go on as if it had made that many picks before.
func (r *Ring) SetPosition(pos uint64) { r.pos.Store(pos) }
