package e2e

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes a server end with the tests, also when they panic.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
