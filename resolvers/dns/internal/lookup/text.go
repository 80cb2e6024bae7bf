package lookup

import "strings"

// text joins the strings of a TXT record, and undoes the escapes that the
// library puts into them: \DDD for a byte and \X for a character.
func text(parts []string) string {
	joined := strings.Join(parts, "")
	if !strings.Contains(joined, `\`) {
		return joined
	}
	var b strings.Builder
	for i := 0; i < len(joined); i++ {
		c := joined[i]
		if c == '\\' && i+1 < len(joined) {
			if v, ok := decimal(joined[i+1:]); ok {
				c = v
				i += 3
			} else {
				i++
				c = joined[i]
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// decimal reads three digits.
func decimal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, d := range []byte(s[:3]) {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	return byte(n), n < 256
}
