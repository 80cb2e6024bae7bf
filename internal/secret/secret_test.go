package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evenkeel-grpc/evenkeel/internal/secret"
)

func TestSealedSecretsAreFoundAgain(t *testing.T) {
	one, two := secret.Seal(secret.New("hunter2")), secret.Seal(secret.New("hunter3"))
	if strings.Contains(one, "hunter") {
		t.Errorf("Seal returned %q, which shows the secret", one)
	}
	if again := secret.Seal(secret.New("hunter2")); again != one || one == two {
		t.Errorf("Seal returned %q, %q for one secret and %q for another", one, again, two)
	}
	if got := secret.Open(two); got != secret.New("hunter3") {
		t.Errorf("Open(%q) is not what was sealed", two)
	}
	if got := secret.Seal(secret.New(one)); got != one {
		t.Errorf("Seal of the reference %q = %q, want itself", one, got)
	}
	if got := secret.Open("in the clear"); got.Reveal() != "in the clear" {
		t.Errorf("Open changed a text that is no reference to %s", got.Reveal())
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	type config struct {
		Token  secret.Text
		hidden secret.Text
	}
	s := secret.New("hunter2")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{s, &s, config{s, s}, []secret.Text{s}} {
			if got := fmt.Sprintf(format, v); strings.Contains(got, "hunter2") {
				t.Errorf("%s of a %T shows the secret: %s", format, v, got)
			}
		}
	}
}

func TestHide(t *testing.T) {
	if got, want := secret.Hide("ab - abc", secret.New("ab"), secret.New(""), secret.New("abc")), "xxxxx - xxxxx"; got != want {
		t.Errorf("Hide = %q, want %q", got, want)
	}
}
