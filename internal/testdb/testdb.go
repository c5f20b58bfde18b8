// Package testdb starts databases for tests: real servers, on private folders and free loopback ports, that end with the test
// program. A server that an environment variable names is used instead.
//
// Where a server can neither be found nor installed, the tests that need it say so and are skipped; with CI set they fail, since
// a build server must not pass them by.
package testdb

import (
	"bytes"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// server is one database, started when it is first asked for.
type server struct {
	env      string // names a server that is there
	programs []string
	packages []string
	start    func(bin map[string]string, dir string, port int) (dsn string, cmd *exec.Cmd, err error)

	once sync.Once
	dsn  string
	err  error
	stop func()
}

var postgres = &server{
	env: "MIGRATE_TEST_POSTGRES", programs: []string{"initdb", "postgres"}, packages: []string{"postgresql"},
	start: func(bin map[string]string, dir string, port int) (string, *exec.Cmd, error) {
		data := filepath.Join(dir, "data")
		password := filepath.Join(dir, "password")
		if err := os.WriteFile(password, []byte("secret\n"), 0o644); err != nil { // the server's user must read it; it is worth nothing
			return "", nil, err
		}
		if out, err := asNobody(dir, bin["initdb"], "-D", data, "-U", "tester", "--auth=scram-sha-256", "--pwfile="+password, "-E", "UTF8", "--no-locale", "--no-sync").CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
		}
		cmd := asNobody(dir, bin["postgres"], "-D", data, "-p", fmt.Sprint(port), "-h", "127.0.0.1", "-k", dir, "-c", "fsync=off", "-c", "timezone=UTC")
		return fmt.Sprintf("postgres://tester:secret@127.0.0.1:%d/postgres?sslmode=disable", port), cmd, nil
	},
}

var mariadb = &server{
	env: "MIGRATE_TEST_MARIADB", programs: []string{"mariadb-install-db", "mariadbd"}, packages: []string{"mariadb-server"},
	start: func(bin map[string]string, dir string, port int) (string, *exec.Cmd, error) {
		data := filepath.Join(dir, "data")
		if out, err := asNobody(dir, bin["mariadb-install-db"], "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
		}
		init := filepath.Join(dir, "init.sql")
		text := "CREATE USER tester@'127.0.0.1' IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO tester@'127.0.0.1';\nCREATE DATABASE tests CHARACTER SET utf8mb4;\n"
		if err := os.WriteFile(init, []byte(text), 0o644); err != nil {
			return "", nil, err
		}
		cmd := asNobody(dir, bin["mariadbd"], "--no-defaults", "--datadir="+data, fmt.Sprintf("--port=%d", port), "--bind-address=127.0.0.1",
			"--socket="+filepath.Join(dir, "s.sock"), "--tmpdir="+dir, // a server that starts clears its own
			"--init-file="+init, "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin")
		return fmt.Sprintf("mysql://tester:secret@127.0.0.1:%d/tests", port), cmd, nil
	},
}

// Postgres gives the DSN of a PostgreSQL server.
func Postgres(t testing.TB) string { t.Helper(); return postgres.get(t) }

// MariaDB gives the DSN of a MariaDB server.
func MariaDB(t testing.TB) string { t.Helper(); return mariadb.get(t) }

// Main runs the tests of a package that uses servers, and stops those that were started: os.Exit(testdb.Main(m)).
func Main(m *testing.M) int {
	defer func() {
		for _, s := range []*server{postgres, mariadb} {
			if s.stop != nil {
				s.stop()
			}
		}
	}()
	return m.Run()
}

func (s *server) get(t testing.TB) string {
	t.Helper()
	s.once.Do(func() {
		if s.dsn = os.Getenv(s.env); s.dsn == "" {
			s.err = s.run()
		}
	})
	if s.err != nil {
		message := fmt.Sprintf("NOT TESTED: there is no %s and it cannot be started: %v; set %s to the address of one", s.programs[len(s.programs)-1], s.err, s.env)
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return s.dsn
}

func (s *server) run() error {
	bin, err := s.find()
	if err != nil {
		if err := install(s.packages); err != nil {
			return err
		}
		if bin, err = s.find(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "testdb-")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777); err != nil { // the server may run as another user
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dsn, cmd, err := s.start(bin, dir, port)
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the server dies with the thread that started it
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		os.RemoveAll(dir)
		return err
	}
	s.stop = func() {
		kill(cmd)
		<-ended
		os.RemoveAll(dir)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			os.RemoveAll(dir)
			return fmt.Errorf("it ended at once\n%s", log.Bytes())
		default:
		}
		if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second); err == nil {
			c.Close()
			if !s.answers(dsn) { // it listens before it does
				continue
			}
			s.dsn = dsn
			return nil
		}
	}
	s.stop()
	s.stop = nil
	return fmt.Errorf("it does not listen\n%s", log.Bytes())
}

// answers asks a server whether it is ready.
func (s *server) answers(dsn string) bool {
	driver := "pgx"
	if s == mariadb {
		u, err := url.Parse(dsn)
		if err != nil {
			return false
		}
		driver, dsn = "mysql", fmt.Sprintf("%s@tcp(%s)%s", u.User, u.Host, u.Path)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return false
	}
	defer db.Close()
	_, err = db.Exec("SELECT 1")
	return err == nil
}

// find looks for the programs where PATH and Debian have them.
func (s *server) find() (map[string]string, error) {
	bin := map[string]string{}
	for _, name := range s.programs {
		places := []string{}
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		slices.Reverse(found)
		places = append(places, found...)
		if p, err := exec.LookPath(name); err == nil {
			places = append(places, p)
		}
		places = append(places, filepath.Join("/usr/sbin", name))
		i := slices.IndexFunc(places, func(p string) bool { info, err := os.Stat(p); return err == nil && info.Mode()&0o111 != 0 })
		if i < 0 {
			return nil, fmt.Errorf("%s is not installed", name)
		}
		bin[name] = places[i]
	}
	return bin, nil
}

// install takes Debian's packages where that is allowed.
func install(packages []string) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("%s is not installed, and there is no apt-get", strings.Join(packages, ", "))
	}
	as := []string{}
	if os.Getuid() != 0 {
		if exec.Command("sudo", "-n", "true").Run() != nil {
			return fmt.Errorf("%s is not installed, and only root may install it", strings.Join(packages, ", "))
		}
		as = []string{"sudo", "-n"}
	}
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)} {
		line := slices.Concat(as, []string{"env", "DEBIAN_FRONTEND=noninteractive", apt}, args)
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}
